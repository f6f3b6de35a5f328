#pragma once

// access_log: a line for each request, written by a thread of its own.
//
//   127.0.0.1:53412 "GET /plaintext HTTP/1.1" 200 13
//
// The server only queues a line. When lines come faster than the file takes them, the oldest are dropped: a
// full disk does not stop the service.

#include <vk/gateway/http1/request.hpp>
#include <vk/gateway/http1/response.hpp>

#include <string>

namespace apps::access_log {

/// Open `file`, or standard output for "-". Throws spdlog::spdlog_ex.
void open(const std::string& file);

/// For http::settings::answered.
void write(const vk::http::request& req, const vk::http::response& res) noexcept;

/// Wait until all lines are written: for server_options::ended.
void close() noexcept;

} // namespace apps::access_log
