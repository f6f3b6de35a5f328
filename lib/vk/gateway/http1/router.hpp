#pragma once

// router: which handler answers which method and path.
//
//   routes.get("/users/{id}", user)          a parameter takes one segment, which may not be empty
//         .get("/static/{path...}", files)   the last one may take all the rest, be it empty
//
// The first route that matches answers. HEAD is answered by GET's handler where HEAD has none. A path that no
// route has is 404; one that has routes for other methods only is 405, with Allow (RFC 9110, 15.5.6); OPTIONS
// is answered with Allow where it has no route of its own, and for "*". A method that HTTP does not have is 501.
//
// Routes are added before serving; matching allocates nothing.

#include "vk/gateway/http1/handler.hpp"
#include "vk/gateway/http1/method.hpp"
#include "vk/gateway/http1/request.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vk::http {

class router {
public:
    /// Add a route. Throws std::invalid_argument when `pattern` is malformed: it begins with '/', and a parameter
    /// fills a segment.
    router& add(http::method method, std::string_view pattern, handler answer);

    router& get(std::string_view pattern, handler answer)
    {
        return add(method::get, pattern, answer);
    }
    router& put(std::string_view pattern, handler answer)
    {
        return add(method::put, pattern, answer);
    }
    router& post(std::string_view pattern, handler answer)
    {
        return add(method::post, pattern, answer);
    }

    /// The handler that answers as the routes say. The router must outlive it.
    handler answer() const noexcept { return {route_request, *this}; }

private:
    struct route {
        http::method method;
        std::string pattern;
        std::size_t literal; // bytes up to the first parameter
        handler answer;
    };

    static task<> route_request(request& req, response& res, const router& routes);
    const route* find(http::method asked, request& req) const noexcept;
    std::string allowed(request& req) const;
    static bool matches(const route& one, std::string_view path, request& req) noexcept;
    static bool matches_parameters(std::string_view pattern, std::size_t literal,
                                   std::string_view path, request& req) noexcept;
    static bool takes_parameters(std::string_view pattern, std::size_t literal,
                                 std::string_view path, request& req) noexcept;

    std::vector<route> routes_;
};

} // namespace vk::http
