#pragma once

// method: what a request asks for (RFC 9110, 9; RFC 5789 for PATCH). Names are case-sensitive (RFC 9110, 9.1);
// one that is none of these is `other`, for the server to answer with 501.

#include <cstdint>
#include <string_view>

namespace vk::http {

enum class method : std::uint8_t {
    get,
    head,
    post,
    put,
    patch,
    delete_,
    options,
    connect,
    trace,
    other
};

/// The name as it is sent, or "" for `other`.
constexpr std::string_view to_text(method which) noexcept
{
    switch (which) {
    case method::get:
        return "GET";
    case method::head:
        return "HEAD";
    case method::post:
        return "POST";
    case method::put:
        return "PUT";
    case method::patch:
        return "PATCH";
    case method::delete_:
        return "DELETE";
    case method::options:
        return "OPTIONS";
    case method::connect:
        return "CONNECT";
    case method::trace:
        return "TRACE";
    case method::other:
        break;
    }
    return "";
}

constexpr method method_from(std::string_view name) noexcept
{
    for (auto which : {method::get, method::head, method::post, method::put, method::patch,
                       method::delete_, method::options, method::connect, method::trace})
        if (name == to_text(which))
            return which;
    return method::other;
}

} // namespace vk::http
