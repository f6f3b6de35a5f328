#pragma once

// fault_routes: requests that make the handler commit a fault, to see what becomes of the server.

#include <vk/http.hpp>

namespace apps::fault_routes {

/// GET /fault?kind=K: commits the fault K. GET /fault: the kinds, a line each.
vk::task<> answer(vk::http::request& req, vk::http::response& res);

} // namespace apps::fault_routes
