#pragma once

// proxy: a handler that passes requests on to another server, and its answers back: a gateway (RFC 9110, 3.7).
//
//     vk::http::proxy behind("127.0.0.1:9000", "/app");      // before serving
//     routes.get("/app/{path...}", behind.answer());          // asks for /{path...}
//
// Method, path, query and Host go on, and all fields but those of the connection (RFC 9110, 7.6.1); Via and
// X-Forwarded-For are added, and Max-Forwards is heeded. Bodies are streamed both ways, at the same time if need be, no faster than their
// readers take them.
//
// A server that cannot be reached, or whose answer is none, is 502 (Bad Gateway); one that does not answer in time is
// 504 (Gateway Timeout). When it fails in the midst of its answer, the client's connection breaks off too.

#include "vk/gateway/http1/client.hpp"
#include "vk/gateway/http1/handler.hpp"

#include <exception>
#include <memory_resource>
#include <string>
#include <string_view>

namespace vk::http {

class proxy {
public:
    /// Pass on to `upstream`, an address as address::parse() reads it; `prefix` is taken off the path. Throws vk::error
    /// (EINVAL).
    explicit proxy(std::string_view upstream, std::string_view prefix = {},
                   const client_options& how = {})
        : to_(upstream, how), prefix_(prefix)
    {
    }

    /// The proxy must outlive it.
    handler answer() const noexcept { return {pass_on, *this}; }

    /// What Via calls this server (RFC 9110, 7.6.3).
    static constexpr std::string_view name = "mnvkd";

private:
    struct upload;

    static task<> pass_on(request& req, response& res, const proxy& how);
    static task<> pass_back(const request& req, response& res, exchange& from);
    static task<> send_body(upload* what);
    std::string_view target_of(const request& req, std::pmr::string& room) const;
    [[noreturn]] void fail(const std::exception_ptr& why, bool of_client,
                           const response& res) const;

    upstream to_;
    std::string prefix_;
};

} // namespace vk::http
