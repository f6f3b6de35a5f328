#pragma once

// handler: the coroutine that answers a request.

#include "vk/coroutine/task_function.hpp"

namespace vk::http {

class request;
class response;

/// task<>(request& req, response& res), or task<>(request& req, response& res, Message& message).
using handler = task_function<request&, response&>;

} // namespace vk::http
