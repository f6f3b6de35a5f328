#include "gateway/served.hpp"
#include "support/allocations.hpp"
#include "support/quiet.hpp"
#include "support/random.hpp"

#include <vk/base/error.hpp>
#include <vk/gateway/http1/router.hpp>
#include <vk/memory/heap_run.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using vk::task;
using vk::http::request;
using vk::http::response;
using vk::http::test::answers;
using vk::http::test::count;
using vk::http::test::has;
using vk::http::test::last_body;
using vk::http::test::outcome;
using vk::http::test::quick_settings;
using vk::http::test::script;
using vk::http::test::served;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

task<> echo(request& req, response& res)
{
    std::string_view body = co_await req.body();
    std::string kept(body);
    co_await res.send(kept, "text/plain");
}

task<> tell(request& req, response& res)
{
    std::string text = std::string(req.method_name()) + " " + std::string(req.target());
    co_await res.send(text, "text/plain");
}

// Within a process: the service of a thread.
task<> serve(vk::socket* io, const vk::http::site* what)
{
    task<> serving = serve_connection(*io, *what);
    co_await std::move(serving);
}

task<> stream(request&, response& res)
{
    co_await res.write("one");
    co_await res.write("two");
}

vk::http::handler shop()
{
    static vk::http::router routes = [] {
        vk::http::router made;
        made.get("/tell/{rest...}", tell).post("/echo", echo).get("/stream", stream);
        return made;
    }();
    return routes.answer();
}

// Requests of every kind, the last of which is none.
const std::string dialogue =
    "GET /tell/a?b HTTP/1.1\r\nHost: h\r\n\r\n"
    "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nGET / HTTP/"
    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT: u\r\n\r\n"
    "HEAD /tell/c HTTP/1.1\r\nHost: h\r\n\r\n"
    "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"
    "PUT /none HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
    "GET / HTTP/1.1\r\nHost : h\r\n\r\n"
    "GET /tell/never HTTP/1.1\r\nHost: h\r\n\r\n";

const std::string said =
    "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nGET "
    "/tell/a?b"
    "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nGET / "
    "HTTP/"
    "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain\r\nContent-Length: "
    "13\r\n\r\nabc0123456789"
    "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\n"
    "HTTP/1.1 200 OK\r\nDate: *\r\nTransfer-Encoding: "
    "chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    "HTTP/1.1 404 Not Found\r\nDate: *\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nNot "
    "Found"
    "HTTP/1.1 400 Bad Request\r\nDate: *\r\nConnection: close\r\nContent-Type: "
    "text/plain\r\nContent-Length: ";

// The refusal's text is the parser's business.
void is_said(const outcome& came)
{
    REQUIRE(came.failure == "");
    REQUIRE(came.text.substr(0, said.size()) == said);
    REQUIRE(count(came.text, "HTTP/1.1") == 7);
}

} // namespace

// --- every split

TEST_CASE("a dialogue is the same however it is cut in two")
{
    is_said(served({.pieces = {dialogue}, .answer = shop()}));
    for (std::size_t at = 1; at < dialogue.size(); ++at) {
        INFO(at);
        is_said(
            served({.pieces = {dialogue.substr(0, at), dialogue.substr(at)}, .answer = shop()}));
    }
}

TEST_CASE("a dialogue is the same byte by byte, and in pieces of any size")
{
    for (std::size_t size = 1; size < 70; ++size) {
        INFO(size);
        script what{.pieces = {}, .answer = shop()};
        for (std::size_t at = 0; at < dialogue.size(); at += size)
            what.pieces.push_back(dialogue.substr(at, size));
        is_said(served(what));
    }
}

TEST_CASE("a dialogue is the same when it wraps around the ring")
{
    // Each turn leaves the ring at another offset: what is parsed in place meets its end sooner or later.
    std::string once = dialogue.substr(0, dialogue.find("GET / HTTP/1.1\r\nHost : h"));
    std::string wanted = said.substr(0, said.find("HTTP/1.1 400"));
    vk::test::dice random(vk::test::seed());
    std::string all;
    std::string answer;
    for (int turn = 0; turn < 150; ++turn) {
        all += once;
        answer += wanted;
    }
    for (int round = 0; round < 5; ++round) {
        script what{.pieces = {}, .answer = shop()};
        for (std::size_t at = 0; at < all.size();) {
            std::size_t size = 1 + random.below(12'000);
            what.pieces.push_back(all.substr(at, size));
            at += size;
        }
        outcome came = served(what);
        REQUIRE(came.failure == "");
        REQUIRE(came.text == answer);
    }
}

// --- ends

TEST_CASE("a client that ends between two requests is not answered any more")
{
    CHECK(answers("", tell) == "");
    CHECK(answers("\r\n", tell) == "");
    CHECK(count(answers(get, tell), "HTTP/1.1 ") == 1);
    CHECK(count(answers(get + "\r\n", tell), "HTTP/1.1 ") == 1);
}

TEST_CASE("a client that ends within a head is told so")
{
    for (std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{20}, get.size() - 1}) {
        std::string text = answers(get + get.substr(0, size), tell);
        CHECK(count(text, "HTTP/1.1 200 OK") == 1);
        CHECK(count(text, "HTTP/1.1 400 Bad Request") == 1);
    }
}

TEST_CASE("a head that does not come in time is 408, and silence between requests is no answer")
{
    vk::http::settings how = quick_settings();
    how.header_timeout = std::chrono::milliseconds(20);
    how.idle_timeout = std::chrono::milliseconds(20);
    outcome came =
        served({.pieces = {get + get.substr(0, 10)}, .answer = tell, .how = how, .ends = false});
    CHECK(came.text.starts_with("HTTP/1.1 200 OK"));
    CHECK(has(came.text, "HTTP/1.1 408 Request Timeout\r\n"));
    CHECK(has(came.text, "Connection: close\r\n"));
    came = served({.pieces = {get}, .answer = tell, .how = how, .ends = false});
    CHECK(count(came.text, "HTTP/1.1 ") == 1);
    CHECK(came.failure == "");
}

TEST_CASE("a body that does not come in time is 408")
{
    vk::http::settings how = quick_settings();
    how.transfer_timeout = std::chrono::milliseconds(20);
    outcome came = served({.pieces = {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc"},
                           .answer = echo,
                           .how = how,
                           .ends = false});
    CHECK(came.text.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    CHECK(has(came.text, "Connection: close\r\n"));
    // The same when nobody wants it: the answer was given, and the connection ends.
    came = served({.pieces = {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc"},
                   .answer = tell,
                   .how = how,
                   .ends = false});
    CHECK(came.text.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(count(came.text, "HTTP/1.1 ") == 1);
    CHECK(came.failure == "");
}

TEST_CASE("a connection ends with as many requests as it may have")
{
    vk::http::settings how = quick_settings();
    how.requests_max = 3;
    outcome came = served({.pieces = {get + get + get + get}, .answer = tell, .how = how});
    CHECK(count(came.text, "HTTP/1.1 200 OK") == 3);
    CHECK(count(came.text, "Connection: close") == 1);
}

// --- handlers that fail

TEST_CASE(
    "what a handler throws before its answer has begun is the answer, and the connection goes on")
{
    vk::test::quiet no_warnings;
    auto thrower = [](request& req, response& res) -> task<> {
        res.header("Set-Cookie", "not in the answer").status(201);
        if (req.path() == "/teapot")
            throw vk::http::error(418, "I am one");
        if (req.path() == "/bug")
            throw std::logic_error("not for the client's eyes");
        if (req.path() == "/int")
            throw 5;
        co_await res.send("ok");
    };
    std::string text;
    for (const char* path : {"/teapot", "/bug", "/int", "/"})
        text += std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
    std::string internal =
        "HTTP/1.1 500 Internal Server Error\r\nDate: *\r\nContent-Type: text/plain\r\n"
        "Content-Length: 21\r\n\r\nInternal Server Error";
    CHECK(answers(text, thrower) == "HTTP/1.1 418 \r\nDate: *\r\nContent-Type: "
                                    "text/plain\r\nContent-Length: 8\r\n\r\nI am one" +
                                        internal + internal +
                                        "HTTP/1.1 201 Created\r\nDate: *\r\nSet-Cookie: not in the "
                                        "answer\r\nContent-Length: 2\r\n\r\nok");
}

TEST_CASE("a handler that fails with the body unread ends the connection with its answer")
{
    vk::test::quiet no_warnings;
    auto thrower = [](request&, response&) -> task<> {
        throw vk::http::error(403, "no");
        co_return;
    };
    std::string post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n";
    std::string text = answers(post + get + get, thrower);
    CHECK(text ==
          "HTTP/1.1 403 Forbidden\r\nDate: *\r\nConnection: close\r\nContent-Type: text/plain\r\n"
          "Content-Length: 2\r\n\r\nno");
}

TEST_CASE("a handler that wanted the connection to end and then failed gets that")
{
    vk::test::quiet no_warnings;
    auto thrower = [](request&, response& res) -> task<> {
        res.close();
        throw vk::http::error(403, "no");
        co_return;
    };
    std::string text = answers(get + get, thrower);
    CHECK(count(text, "403 Forbidden") == 1);
    CHECK(has(text, "Connection: close\r\n"));
}

TEST_CASE("what a handler throws when its answer has begun breaks the connection off")
{
    vk::test::quiet no_warnings;
    auto streams = [](request&, response& res) -> task<> {
        co_await res.write("abc");
        throw vk::http::error(403, "no");
    };
    outcome came = served({.pieces = {get + get}, .answer = streams});
    CHECK(came.text ==
          "HTTP/1.1 200 OK\r\nDate: *\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    CHECK(came.failure == "no");
    auto sends = [](request&, response& res) -> task<> {
        co_await res.send("abc");
        throw std::runtime_error("late");
    };
    came = served({.pieces = {get + get}, .answer = sends});
    CHECK(count(came.text, "200 OK") == 1);
    CHECK(came.text.ends_with("abc"));
    CHECK(came.failure == "late");
}

// --- heaps that are exhausted

TEST_CASE("a handler that exhausts its heap is answered for, and the next is not harmed")
{
    vk::test::quiet no_warnings;
    auto greedy = [](request& req, response& res) -> task<> {
        if (req.path() == "/much")
            vk::heap_run much(req.io().owner().heap(), 1000);
        co_await res.send("ok");
    };
    std::string text = "GET /much HTTP/1.1\r\nHost: h\r\n\r\n";
    outcome came = served({.pieces = {text + get}, .answer = greedy, .heap_pages = 64});
    CHECK(came.failure == "");
    CHECK(has(came.text, "HTTP/1.1 500 Internal Server Error\r\n"));
    CHECK(came.text.ends_with("\r\n\r\nok"));
}

TEST_CASE("a head that outgrows the heap is refused with 431")
{
    vk::test::quiet no_warnings;
    vk::http::settings how = quick_settings();
    std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
    while (text.size() < 30'000)
        text += "X-" + std::to_string(text.size()) + ": " + std::string(1000, 'x') + "\r\n";
    text += "\r\n";
    outcome came = served({.pieces = {text}, .answer = tell, .how = how, .heap_pages = 64});
    CHECK(has(came.text, "200 OK"));
    for (std::size_t pages = 8; pages < 11;
         ++pages) { // of which a ring for the head would take eight
        INFO(pages);
        came = served({.pieces = {text}, .answer = tell, .how = how, .heap_pages = pages});
        CHECK(came.failure == "");
        CHECK(came.text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        CHECK(has(came.text, "Connection: close\r\n"));
    }
}

TEST_CASE("a request with a body whose head finds no room in the heap is answered, and is the last")
{
    vk::test::quiet no_warnings;
    std::string text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n";
    while (text.size() < 30'000)
        text += "X-" + std::to_string(text.size()) + ": " + std::string(1000, 'x') + "\r\n";
    text += "\r\nabc";
    // At every size of a heap from the least: it is served, or refused by an answer, or the process has not begun.
    bool served_once = false;
    bool refused_once = false;
    for (std::size_t pages = 12; pages < 40; ++pages) {
        INFO(pages);
        outcome came = served({.pieces = {text + get}, .answer = echo, .heap_pages = pages});
        CHECK(came.failure == "");
        if (has(came.text, "200 OK")) {
            served_once = true;
            CHECK(count(came.text, "HTTP/1.1 ") == 2);
        } else {
            refused_once = true;
            CHECK(has(came.text, "Connection: close\r\n"));
            CHECK(count(came.text, "HTTP/1.1 ") == 1);
        }
    }
    CHECK(served_once);
    CHECK(refused_once);
}

// --- what is told of a request

TEST_CASE("every request that is answered is told of, those that are refused included")
{
    static std::vector<std::string> log;
    log.clear();
    vk::http::settings how = quick_settings();
    how.answered = [](const request& req, const response& res) noexcept {
        log.push_back(std::string(req.method_name()) + " " + std::string(req.path()) + " " +
                      std::to_string(res.status()) + (req.fields().empty() ? " -" : " f") +
                      (req.field("Host") ? " h" : " -"));
    };
    (void)served({.pieces = {"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost h\r\n\r\n"},
                  .answer = tell,
                  .how = how});
    REQUIRE(log.size() == 2);
    CHECK(log[0] == "GET /a 200 f h");
    CHECK(log[1].ends_with(" 400 - -"));
}

TEST_CASE("a request whose answer broke off is told of, with the bytes that it got")
{
    vk::test::quiet no_warnings;
    static std::string told;
    told.clear();
    vk::http::settings how = quick_settings();
    how.answered = [](const request&, const response& res) noexcept {
        told += std::to_string(res.status()) + " " + std::to_string(res.body_bytes());
    };
    auto breaks_off = [](request&, response& res) -> task<> {
        co_await res.length(10).write("half");
        throw std::logic_error("and no more");
    };
    outcome came = served({.pieces = {get + get}, .answer = breaks_off, .how = how});
    CHECK(came.failure == "and no more");
    CHECK(told == "200 4");
}

// --- memory

TEST_CASE("a connection that waits for its next request holds no page of the last one")
{
    // Fields, a body and a head that were kept: gone before the next request comes.
    struct waits {
        static task<> answer(request& req, response& res)
        {
            std::string_view body = co_await req.body();
            res.header("X", "y");
            std::string_view text = body.empty() ? "none" : "some";
            co_await res.send(text);
        }
        static task<> run()
        {
            vk::http::site what{answer, quick_settings()};
            vk::process& here = vk::process::current();
            vk::socket client;
            {
                vk::socket server;
                bind(server, client);
                auto serving = vk::spawn(serve, &server, &what);
                co_await vk::yield();
                std::size_t before = here.heap().pages_used();
                for (const char* text :
                     {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"}) {
                    co_await client.write(text);
                    std::string_view came = co_await client.look(1);
                    (void)client.take(came.size());
                    co_await vk::yield();
                    co_await vk::yield();
                    CHECK(here.heap().pages_used() == before);
                }
                co_await client.tx_close();
                co_await serving.join();
            }
        }
    };
    vk::run_local({.heap_pages = 256}, waits::run);
}

TEST_CASE("requests are answered without the global heap")
{
    struct asks {
        static task<> name(request& req, response& res)
        {
            co_await res.header("X", req.param("x")).send(req.param("x"), "text/plain");
        }
        static task<> run(std::size_t& made)
        {
            vk::http::router routes;
            routes.get("/{x}", name).post("/{x}", name);
            vk::http::site what{routes.answer(), quick_settings()};
            vk::socket client;
            vk::socket server;
            bind(server, client);
            auto serving = vk::spawn(serve, &server, &what);
            vk::test::allocations before;
            for (int i = 0; i < 100; ++i) {
                if (i == 10)
                    before = vk::test::allocations_now();
                co_await client.write(
                    "GET /abc HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n"
                    "POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nefg");
                for (std::string_view came = co_await client.look(1); !came.ends_with("\r\n\r\nd");)
                    came = co_await client.look(came.size() + 1);
                (void)client.take(client.glance().size());
            }
            made = vk::test::allocations_now().made - before.made;
            co_await client.tx_close();
            co_await serving.join();
        }
    };
    std::size_t made = 99;
    vk::run_local({.heap_pages = 256}, asks::run, made);
    CHECK(made == 0);
}
