#pragma once

// server: HTTP/1.1 on addresses, from start to drain.

#include "vk/gateway/http1/connection.hpp"
#include "vk/service/server.hpp"

namespace vk::http {

/// Answer requests as `what` says until SIGTERM or SIGINT; then finish those that are in flight, with
/// "Connection: close" if their handler has not begun, and return 0. `what` must outlive the call. Returns 1 as vk::serve().
inline int serve(const server_options& options, const site& what) noexcept
{
    return vk::serve(options, service(serve_connection, what));
}

} // namespace vk::http
