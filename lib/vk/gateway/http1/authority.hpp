#pragma once

// authority: a host and perhaps a port, as Host and request targets have it (RFC 9110, 7.2; RFC 3986, 3.2).
// Userinfo is refused (RFC 9110, 4.2.4), and so is an address of a future version of IP, since there is none.

#include "vk/gateway/http1/ascii.hpp"

#include <string_view>

namespace vk::http {

enum class port : bool { optional, required };

/// Whether `text` is a host that is not empty, and a port from 0 to 65535. The bytes up to `readable` may be
/// looked at too, to see 16 at once; the first of them behind `text` must be one that an authority never has.
bool valid_authority(std::string_view text, const char* readable,
                     port needed = port::optional) noexcept;

} // namespace vk::http
