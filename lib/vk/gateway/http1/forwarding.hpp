#pragma once

// forwarding: which fields of a message are for the next one, and which for the connection on which it came
// (RFC 9110, 7.6.1).

#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/fields.hpp"

#include <array>
#include <string_view>

namespace vk::http {

/// Whether the comma-separated list `all` has `item` (RFC 9110, 5.6.1), whatever its case.
constexpr bool lists(std::string_view all, std::string_view item) noexcept
{
    bool found = false;
    ascii::for_each_element(
        all, [&](std::string_view one) { found = found || ascii::equal(one, item); });
    return found;
}

/// Fields of one connection, by name: those of the RFC; the framing and the host, which the next message has of
/// its own; and the expectation, which whoever reads the body answers.
constexpr bool is_of_connection(std::string_view name) noexcept
{
    constexpr std::array names{
        std::string_view("connection"),
        std::string_view("keep-alive"),
        std::string_view("te"),
        std::string_view("trailer"),
        std::string_view("upgrade"),
        std::string_view("transfer-encoding"),
        std::string_view("content-length"),
        std::string_view("proxy-connection"),
        std::string_view("host"),
        std::string_view("expect"),
    };
    for (std::string_view one : names)
        if (ascii::equal(name, one))
            return true;
    return false;
}

/// Whether `one` of the fields `all` is passed on as it is: it is none of the above, nor named in Connection, nor
/// Max-Forwards, which is one less for the next (RFC 9110, 7.6.2).
inline bool is_forwarded(const field& one, const fields& all) noexcept
{
    if (is_of_connection(one.name) || ascii::equal(one.name, "max-forwards"))
        return false;
    for (const field& other : all)
        if (ascii::equal(other.name, "connection") && lists(other.value, one.name))
            return false;
    return true;
}

} // namespace vk::http
