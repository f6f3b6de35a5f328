#pragma once

// status: the reason phrases of RFC 9110, 15, and RFC 6585.

#include <string_view>

namespace vk::http {

/// What a status code means, in the words of its registration; "" for one that is not registered there.
constexpr std::string_view reason(int status) noexcept
{
    switch (status) {
#define VK_STATUS_(code, text)                                                                     \
    case code:                                                                                     \
        return text;
        VK_STATUS_(100, "Continue")
        VK_STATUS_(101, "Switching Protocols")
        VK_STATUS_(200, "OK")
        VK_STATUS_(201, "Created")
        VK_STATUS_(202, "Accepted")
        VK_STATUS_(203, "Non-Authoritative Information")
        VK_STATUS_(204, "No Content")
        VK_STATUS_(205, "Reset Content")
        VK_STATUS_(206, "Partial Content")
        VK_STATUS_(300, "Multiple Choices")
        VK_STATUS_(301, "Moved Permanently")
        VK_STATUS_(302, "Found")
        VK_STATUS_(303, "See Other")
        VK_STATUS_(304, "Not Modified")
        VK_STATUS_(305, "Use Proxy")
        VK_STATUS_(307, "Temporary Redirect")
        VK_STATUS_(308, "Permanent Redirect")
        VK_STATUS_(400, "Bad Request")
        VK_STATUS_(401, "Unauthorized")
        VK_STATUS_(402, "Payment Required")
        VK_STATUS_(403, "Forbidden")
        VK_STATUS_(404, "Not Found")
        VK_STATUS_(405, "Method Not Allowed")
        VK_STATUS_(406, "Not Acceptable")
        VK_STATUS_(407, "Proxy Authentication Required")
        VK_STATUS_(408, "Request Timeout")
        VK_STATUS_(409, "Conflict")
        VK_STATUS_(410, "Gone")
        VK_STATUS_(411, "Length Required")
        VK_STATUS_(412, "Precondition Failed")
        VK_STATUS_(413, "Content Too Large")
        VK_STATUS_(414, "URI Too Long")
        VK_STATUS_(415, "Unsupported Media Type")
        VK_STATUS_(416, "Range Not Satisfiable")
        VK_STATUS_(417, "Expectation Failed")
        VK_STATUS_(421, "Misdirected Request")
        VK_STATUS_(422, "Unprocessable Content")
        VK_STATUS_(426, "Upgrade Required")
        VK_STATUS_(428, "Precondition Required")
        VK_STATUS_(429, "Too Many Requests")
        VK_STATUS_(431, "Request Header Fields Too Large")
        VK_STATUS_(500, "Internal Server Error")
        VK_STATUS_(501, "Not Implemented")
        VK_STATUS_(502, "Bad Gateway")
        VK_STATUS_(503, "Service Unavailable")
        VK_STATUS_(504, "Gateway Timeout")
        VK_STATUS_(505, "HTTP Version Not Supported")
        VK_STATUS_(511, "Network Authentication Required")
#undef VK_STATUS_
    default:
        return "";
    }
}

} // namespace vk::http
