#pragma once

// authority: a host and perhaps a port, as Host and request targets have it (RFC 9110, 7.2; RFC 3986, 3.2).
// Userinfo is refused (RFC 9110, 4.2.4), and so is an address of a future version of IP, since there is none.

#include "vk/gateway/http1/ascii.hpp"

#include <string_view>

namespace vk::http {

enum class port : bool { optional, required };

/// Whether `text` is a host that is not empty, and a port from 0 to 65535.
bool valid_authority(std::string_view text, port needed = port::optional) noexcept;

/// Whether [from, stop) is what most are: a name or an IPv4 address, and perhaps a port of at most four digits. If not,
/// valid_authority() knows. The bytes up to `readable` may be looked at too, to see 16 at once; that at `stop` must be
/// one that an authority never has.
[[gnu::always_inline]] inline bool is_usual_authority(const char* from, const char* stop,
                                                      const char* readable) noexcept
{
    const char* at = ascii::leap<ascii::word>(from, readable);
    if (at == from)
        return false;
    return at == stop ||
           (*at == ':' && stop - at <= 5 && ascii::leap<ascii::digit>(at + 1, readable) == stop);
}

} // namespace vk::http
