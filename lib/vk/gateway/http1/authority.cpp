#include "vk/gateway/http1/authority.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace vk::http {
namespace {

/// End of the registered name or IPv4 address at `at` (RFC 3986, 3.2.2).
const char* skip_name(const char* at, const char* end) noexcept
{
    for (;;) {
        at = ascii::by_byte::skip<ascii::name>(at, end);
        if (end - at < 3 || *at != '%' || !ascii::is(at[1], ascii::hex) ||
            !ascii::is(at[2], ascii::hex))
            return at;
        at += 3;
    }
}

/// End of the bracketed IPv6 address at `at`, or `at` when it is none.
const char* skip_ipv6(const char* at, const char* end) noexcept
{
    char text[INET6_ADDRSTRLEN] = "";
    auto* bracket =
        static_cast<const char*>(std::memchr(at, ']', static_cast<std::size_t>(end - at)));
    if (!bracket || bracket - at > INET6_ADDRSTRLEN)
        return at;
    std::memcpy(text, at + 1, static_cast<std::size_t>(bracket - at - 1));
    in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1 ? bracket + 1 : at;
}

bool valid_port(std::string_view digits, port needed) noexcept
{
    if (digits.size() > 5 || !std::all_of(digits.begin(), digits.end(), ascii::is_digit))
        return false;
    unsigned number = 0;
    for (char c : digits)
        number = number * 10 + static_cast<unsigned>(c - '0');
    return number <= 65535 && (needed == port::optional || number > 0);
}

} // namespace

bool valid_authority(std::string_view text, port needed) noexcept
{
    const char* begin = text.data();
    const char* end = begin + text.size();
    const char* at = text.starts_with('[') ? skip_ipv6(begin, end) : skip_name(begin, end);
    if (at == begin)
        return false;
    if (at == end)
        return needed == port::optional;
    return *at == ':' && valid_port({at + 1, end}, needed);
}

} // namespace vk::http
