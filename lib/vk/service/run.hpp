#pragma once

// run: one process on a kernel, with standard input and output as its socket.

#include "vk/service/server.hpp"

namespace vk {

/// Run `main` with stdin and stdout as its socket, until it and every thread that it spawned have ended.
/// Returns 0, or 1 when an exception escaped it.
inline int run(service main, const server_options& options = {}) noexcept
{
    return serve_standard(options, main);
}

} // namespace vk
