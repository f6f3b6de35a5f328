#include "gateway/served.hpp"

#include <vk/gateway/http1/router.hpp>

#include <stdexcept>
#include <string>

using vk::task;
using vk::http::method;
using vk::http::request;
using vk::http::response;
using vk::http::router;
using vk::http::test::answers;
using vk::http::test::has;
using vk::http::test::last_body;

namespace {

// Say which route it is, and what its parameters are.
template <char Name>
task<> says(request& req, response& res)
{
    std::string text(1, Name);
    for (std::string_view name : {"a", "b", "rest"})
        text += "|" + std::string(req.param(name));
    co_await res.send(text, "text/plain");
}

std::string ask(const router& routes, const std::string& method, const std::string& target)
{
    return answers(method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n", routes.answer());
}

std::string get(const router& routes, const std::string& target)
{
    return last_body(ask(routes, "GET", target));
}

} // namespace

TEST_CASE("a route answers its own path, and no other")
{
    router routes;
    routes.get("/", says<'r'>).get("/a", says<'a'>).get("/a/b", says<'b'>).get("/c/", says<'c'>);
    CHECK(get(routes, "/") == "r|||");
    CHECK(get(routes, "/a") == "a|||");
    CHECK(get(routes, "/a/b") == "b|||");
    CHECK(get(routes, "/c/") == "c|||");
    CHECK(get(routes, "/a?b=c") == "a|||");
    CHECK(get(routes, "http://other/a") == "a|||");
    CHECK(get(routes, "http://other") == "r|||");
    for (const char* path :
         {"/A", "/a/", "/c", "//a", "/a//b", "/a/b/", "/%61", "/a%2fb", "/./a"}) {
        INFO(path);
        CHECK(has(ask(routes, "GET", path), "HTTP/1.1 404 Not Found\r\n"));
    }
}

TEST_CASE("a parameter takes one segment, as it was sent and not empty")
{
    router routes;
    routes.get("/u/{a}", says<'u'>).get("/u/{a}/v/{b}", says<'v'>).get("/{a}/w", says<'w'>);
    CHECK(get(routes, "/u/1") == "u|1||");
    CHECK(get(routes, "/u/%2F.x") == "u|%2F.x||");
    CHECK(get(routes, "/u/1/v/2") == "v|1|2|");
    CHECK(get(routes, "/u/w") == "u|w||"); // the first that matches
    CHECK(get(routes, "/x/w") == "w|x||");
    for (const char* path :
         {"/u/", "/u", "/u//v/2", "/u/1/v/", "/u/1/v", "/u/1/2", "/u/1/", "//w"}) {
        INFO(path);
        CHECK(has(ask(routes, "GET", path), "404 Not Found"));
    }
}

TEST_CASE("the last parameter may take the rest, be it empty")
{
    router routes;
    routes.get("/s/{rest...}", says<'s'>).get("/t/{a}/{rest...}", says<'t'>);
    CHECK(get(routes, "/s/") == "s|||");
    CHECK(get(routes, "/s/x/y//z") == "s|||x/y//z");
    CHECK(get(routes, "/t/1/") == "t|1||");
    CHECK(get(routes, "/t/1/2/3") == "t|1||2/3");
    CHECK(has(ask(routes, "GET", "/s"), "404 Not Found"));
    CHECK(has(ask(routes, "GET", "/t//x"), "404 Not Found"));
}

TEST_CASE("parameters of a route that did not match are not those of the one that does")
{
    router routes;
    routes.get("/{a}/{b}/x", says<'1'>).get("/p/q/r", says<'2'>).get("/{b}/y/z", says<'3'>);
    CHECK(get(routes, "/p/q/r") == "2|||");
    CHECK(get(routes, "/p/y/z") == "3||p|");
    router heads;
    heads.get("/{a}", says<'g'>).add(method::head, "/h", [](request& req, response& res) -> task<> {
        res.header("X-A", req.param("a").empty() ? "none" : req.param("a"));
        co_await res.send();
    });
    CHECK(has(ask(heads, "HEAD", "/h"), "X-A: none\r\n"));
}

TEST_CASE("HEAD is answered by GET's handler, where it has none of its own")
{
    router routes;
    routes.get("/{a}", says<'g'>).get("/own", says<'o'>).add(method::head, "/own", says<'h'>);
    CHECK(ask(routes, "HEAD", "/abc") ==
          "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n");
    CHECK(has(ask(routes, "HEAD", "/own"),
              "Content-Length: 4\r\n")); // "h|||", not "g|own||" or "o|||"
}

TEST_CASE("the same path can have a route for each method")
{
    router routes;
    routes.get("/x", says<'g'>).put("/x", says<'p'>).post("/x", says<'o'>);
    routes.add(method::delete_, "/x", says<'d'>).add(method::patch, "/x", says<'a'>);
    CHECK(last_body(ask(routes, "PUT", "/x")) == "p|||");
    CHECK(last_body(ask(routes, "POST", "/x")) == "o|||");
    CHECK(last_body(ask(routes, "DELETE", "/x")) == "d|||");
    CHECK(last_body(ask(routes, "PATCH", "/x")) == "a|||");
}

TEST_CASE("a method that the path does not have is 405, with those that it has")
{
    router routes;
    routes.put("/{a}", says<'1'>)
        .get("/x", says<'2'>)
        .put("/x", says<'3'>)
        .get("/other", says<'4'>);
    std::string said = ask(routes, "POST", "/x");
    CHECK(has(said, "HTTP/1.1 405 Method Not Allowed\r\n"));
    CHECK(has(said, "\r\nAllow: PUT, GET, HEAD\r\n"));
    CHECK(has(ask(routes, "GET", "/y"), "\r\nAllow: PUT\r\n"));
    CHECK(has(ask(routes, "TRACE", "/x"), "405 Method Not Allowed"));
}

TEST_CASE("a method that the server does not know is 501, whatever the path")
{
    router routes;
    routes.get("/x", says<'x'>);
    for (const char* method : {"get", "BREW", "GETT", "PROPFIND"}) {
        INFO(method);
        CHECK(has(ask(routes, method, "/x"), "HTTP/1.1 501 Not Implemented\r\n"));
        CHECK(has(ask(routes, method, "/none"), "HTTP/1.1 501 Not Implemented\r\n"));
    }
}

TEST_CASE("OPTIONS says what is allowed for a path, and for the server")
{
    router routes;
    routes.get("/x", says<'x'>).post("/y", says<'y'>);
    CHECK(ask(routes, "OPTIONS", "/x") ==
          "HTTP/1.1 204 No Content\r\nDate: *\r\nAllow: GET, HEAD\r\n\r\n");
    CHECK(ask(routes, "OPTIONS", "*") ==
          "HTTP/1.1 204 No Content\r\nDate: *\r\nAllow: GET, POST, HEAD\r\n\r\n");
    CHECK(has(ask(routes, "OPTIONS", "/none"), "404 Not Found"));
    routes.add(method::options, "/x", says<'o'>);
    CHECK(last_body(ask(routes, "OPTIONS", "/x")) == "o|||");
}

TEST_CASE("CONNECT has no route")
{
    router routes;
    routes.get("/{rest...}", says<'x'>);
    CHECK(has(ask(routes, "CONNECT", "h:80"), "404 Not Found"));
}

TEST_CASE("a pattern that means nothing is refused when it is added")
{
    router routes;
    for (const char* pattern :
         {"", "x", "{a}", "/{", "/}", "/{}", "/a{b}", "/{a}b", "/{a}{b}", "/{a", "/a}", "/{a...}/b",
          "/{rest...}/", "/{...}", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}"}) {
        INFO(pattern);
        CHECK_THROWS_AS(routes.get(pattern, says<'x'>), std::invalid_argument);
    }
    CHECK_NOTHROW(routes.get("/{a}/{b}/{c}/{d}/{e}/{f}", says<'x'>));
}
