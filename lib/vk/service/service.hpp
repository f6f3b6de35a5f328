#pragma once

// service: the coroutine that serves a connection.

#include "vk/coroutine/task_function.hpp"
#include "vk/io/socket.hpp"

namespace vk {

/// task<>(socket& io), or task<>(socket& io, Message& message).
using service = task_function<socket&>;

} // namespace vk
