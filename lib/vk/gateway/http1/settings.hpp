#pragma once

// settings: what an HTTP server allows its clients.

#include "vk/gateway/http1/bounds.hpp"

#include <chrono>
#include <cstdint>

namespace vk::http {

class request;
class response;

/// The defaults are nginx's where it has one, but for requests_max.
struct settings {
    /// What a request may be.
    http::bounds bounds{};

    /// For a whole head, from its first byte; then 408 (RFC 9110, 15.5.9).
    std::chrono::milliseconds header_timeout{60'000};

    /// Between two bytes of a body, and of an answer that the client takes.
    std::chrono::milliseconds transfer_timeout{60'000};

    /// Between two requests.
    std::chrono::milliseconds idle_timeout{75'000};

    /// Requests of one connection; 0 for any number.
    std::uint32_t requests_max = 0;

    /// Bytes of a body that a handler left unread and that are read for it, to keep the connection.
    std::uint32_t unread_bytes_max = 64 * 1024;

    /// Called for each request when it was answered, or its answer broke off: an access log. It may not block.
    void (*answered)(const request& req, const response& res) noexcept = nullptr;
};

} // namespace vk::http
