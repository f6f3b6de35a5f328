#include "gateway/served.hpp"

#include <vk/base/error.hpp>
#include <vk/gateway/http1/date.hpp>

#include <cerrno>
#include <string>

using vk::task;
using vk::http::request;
using vk::http::response;
using vk::http::test::answers;
using vk::http::test::count;
using vk::http::test::has;
using vk::http::test::last_body;
using vk::http::test::outcome;
using vk::http::test::served;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string get_1_0 = "GET / HTTP/1.0\r\n\r\n";
const std::string get_1_0_kept = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

const std::string usual = "HTTP/1.1 200 OK\r\nDate: *\r\n";

constexpr std::size_t long_bytes = 300'000;

std::string long_text()
{
    std::string text(long_bytes, '\0');
    for (std::size_t at = 0; at < long_bytes; ++at)
        text[at] = static_cast<char>('a' + at % 26 + at / 26 % 3);
    return text;
}

// The answer to `request`, twice on one connection: it was framed so that the next could be found.
std::string twice(const std::string& request, vk::http::handler answer)
{
    std::string both = answers(request + request, answer);
    std::string one = both.substr(0, both.size() / 2);
    CHECK(one + one == both);
    return one;
}

// What header() says to a field: "added", or the error.
template <class Name, class Value>
std::string tried(response& res, const Name& name, const Value& value)
{
    try {
        res.header(name, value);
    } catch (const vk::error& e) {
        return e.code().value() == EINVAL ? "refused" : e.what();
    }
    return "added";
}

} // namespace

// --- at once

TEST_CASE("an answer at once has its status, its date, its type and its length")
{
    auto hello = [](request&, response& res) -> task<> { co_await res.send("hello", "a/b"); };
    CHECK(twice(get, hello) == usual + "Content-Type: a/b\r\nContent-Length: 5\r\n\r\nhello");
    auto nothing = [](request&, response& res) -> task<> { co_await res.send(); };
    CHECK(twice(get, nothing) == usual + "Content-Length: 0\r\n\r\n");
    auto missing = [](request&, response& res) -> task<> {
        co_await res.status(404).header("X", "y").send("no");
    };
    CHECK(twice(get, missing) ==
          "HTTP/1.1 404 Not Found\r\nDate: *\r\nX: y\r\nContent-Length: 2\r\n\r\nno");
    auto unheard_of = [](request&, response& res) -> task<> { co_await res.status(299).send("x"); };
    CHECK(twice(get, unheard_of) == "HTTP/1.1 299 \r\nDate: *\r\nContent-Length: 1\r\n\r\nx");
}

TEST_CASE("the answer to HEAD has the length of the body that it lacks")
{
    auto hello = [](request&, response& res) -> task<> {
        co_await res.send("hello");
        CHECK(res.body_bytes() == 0);
    };
    CHECK(twice(head, hello) == usual + "Content-Length: 5\r\n\r\n");
    auto much = [](request&, response& res) -> task<> {
        std::string text = long_text();
        co_await res.send(text);
        CHECK(res.body_bytes() == 0);
    };
    CHECK(twice(head, much) == usual + "Content-Length: 300000\r\n\r\n");
}

TEST_CASE("a status without content has neither a body nor, but for 205, a length")
{
    auto none = [](request&, response& res) -> task<> {
        co_await res.status(204).send("what is never sent", "text/plain");
        CHECK(res.body_bytes() == 0);
    };
    std::string said = twice(get, none);
    CHECK(said.starts_with("HTTP/1.1 204 No Content\r\n"));
    CHECK_FALSE(has(said, "Content-Length"));
    CHECK(said.ends_with("\r\n\r\n"));
    auto same = [](request&, response& res) -> task<> {
        co_await res.status(304).send("never sent");
    };
    CHECK(twice(get, same) == "HTTP/1.1 304 Not Modified\r\nDate: *\r\n\r\n");
    // RFC 9110, 15.3.6: a client that reads a 205 looks for a length.
    auto reset = [](request&, response& res) -> task<> {
        co_await res.status(205).send("never sent");
    };
    CHECK(twice(get, reset) ==
          "HTTP/1.1 205 Reset Content\r\nDate: *\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("an answer that outgrows the ring comes whole, and so do others behind it")
{
    auto much = [](request&, response& res) -> task<> {
        std::string text = long_text();
        co_await res.send(text, "a/b");
        CHECK(res.body_bytes() == long_bytes);
    };
    CHECK(twice(get, much) ==
          usual + "Content-Type: a/b\r\nContent-Length: 300000\r\n\r\n" + long_text());
}

TEST_CASE("more answers than the ring holds come whole, heads that meet its end included")
{
    auto some = [](request&, response& res) -> task<> {
        static const std::string text(997, 's');
        co_await res.send(text);
    };
    std::string asked;
    std::string wanted;
    for (int one = 0; one < 200; ++one) {
        asked += get;
        wanted += usual + "Content-Length: 997\r\n\r\n" + std::string(997, 's');
    }
    CHECK(answers(asked, some) == wanted);
    auto with_fields = [](request&, response& res) -> task<> {
        res.header("A", std::string(3000, 'a'));
        co_await res.send("b");
    };
    std::string long_heads = answers(asked, with_fields);
    CHECK(count(long_heads,
                usual + "A: " + std::string(3000, 'a') + "\r\nContent-Length: 1\r\n\r\nb") == 200);
}

TEST_CASE("what was sent before is not counted for an answer without a body")
{
    auto first = [](request& req, response& res) -> task<> {
        if (req.path() == "/1")
            co_await res.send("many bytes");
        else
            co_await res.status(204).send();
        CHECK(res.body_bytes() == (req.path() == "/1" ? 10 : 0));
    };
    CHECK(
        has(answers("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n", first),
            "204"));
}

// --- the head

TEST_CASE(
    "a field that would be another, or the end of the head, is refused and nothing of it sent")
{
    auto tries = [](request&, response& res) -> task<> {
        using namespace std::string_view_literals;
        for (auto value : {"a\r\nB: c"sv, "a\nB: c"sv, "a\rb"sv, "\r\n"sv, "a\0b"sv, "\x01"sv,
                           "\x7f"sv, "a\r\n"sv})
            CHECK(tried(res, "Good", value) == "refused");
        for (auto name :
             {""sv, "a b"sv, "a:"sv, "a\r\nb"sv, "a\tb"sv, "\xc3\xa4"sv, "a\0"sv, " a"sv, "a "sv})
            CHECK(tried(res, name, "good") == "refused");
        CHECK(tried(res, "Empty", "") == "added");
        CHECK(tried(res, "Most", "a\tb \x80\xff ~") == "added");
        co_await res.send("x");
    };
    CHECK(twice(get, tries) ==
          usual + "Empty: \r\nMost: a\tb \x80\xff ~\r\nContent-Length: 1\r\n\r\nx");
}

TEST_CASE("what frames the answer cannot be said twice")
{
    auto tries = [](request&, response& res) -> task<> {
        for (const char* name : {"Content-Length", "content-length", "Transfer-Encoding",
                                 "TRANSFER-ENCODING", "Connection", "connection"})
            CHECK(tried(res, name, "0") == "refused");
        CHECK(tried(res, "Content-Lengths", "0") == "added");
        co_await res.send("x");
    };
    CHECK(twice(get, tries) == usual + "Content-Lengths: 0\r\nContent-Length: 1\r\n\r\nx");
}

TEST_CASE("fields fill a page at most; what does not fit is refused, and the others stay")
{
    auto fills = [](request&, response& res) -> task<> {
        for (int one = 0; one < 4; ++one)
            CHECK(tried(res, "X", std::string(1019, 'x')) == "added"); // 1024 bytes each
        CHECK(tried(res, "Y", "") == "refused");
        co_await res.send("x");
    };
    std::string said = twice(get, fills);
    CHECK(count(said, "X: xxx") == 4);
    CHECK_FALSE(has(said, "Y"));
    auto too_long = [](request&, response& res) -> task<> {
        CHECK(tried(res, "X", std::string(5000, 'x')) == "refused");
        CHECK(tried(res, "X", std::string(70'000, 'x')) == "refused");
        co_await res.send("x");
    };
    CHECK_FALSE(has(twice(get, too_long), "X:"));
}

TEST_CASE("fields of one answer are not those of the next")
{
    auto first = [](request& req, response& res) -> task<> {
        if (req.path() == "/1")
            res.header("Set-Cookie", "secret").status(201);
        co_await res.send("x");
    };
    std::string said =
        answers("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n", first);
    CHECK(said ==
          "HTTP/1.1 201 Created\r\nDate: *\r\nSet-Cookie: secret\r\nContent-Length: 1\r\n\r\nx" +
              usual + "Content-Length: 1\r\n\r\nx");
}

TEST_CASE("an answer that ends the connection says so, and is the last")
{
    auto last = [](request&, response& res) -> task<> { co_await res.close().send("x"); };
    CHECK(answers(get + get, last) ==
          "HTTP/1.1 200 OK\r\nDate: *\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
}

// --- as a stream

TEST_CASE("a stream goes in chunks, each a piece, and ends with the last")
{
    auto pieces = [](request&, response& res) -> task<> {
        res.type("a/b");
        co_await res.write("hello");
        co_await res.write("");
        co_await res.write("0123456789abcdef!");
        CHECK(res.body_bytes() == 22);
    };
    CHECK(twice(get, pieces) == usual + "Content-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        "5\r\nhello\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n");
}

TEST_CASE("a stream of a known length has that, and no chunks")
{
    auto pieces = [](request&, response& res) -> task<> {
        res.length(10);
        co_await res.write("hello");
        co_await res.write("there");
        co_await res.finish();
        co_await res.finish();
    };
    CHECK(twice(get, pieces) == usual + "Content-Length: 10\r\n\r\nhellothere");
    CHECK(twice(head, pieces) == usual + "Content-Length: 10\r\n\r\n");
}

TEST_CASE("a stream to a client of HTTP/1.0 goes up to the end of the connection")
{
    auto pieces = [](request&, response& res) -> task<> {
        co_await res.write("hello");
        co_await res.write("there");
    };
    std::string wanted = "HTTP/1.1 200 OK\r\nDate: *\r\nConnection: close\r\n\r\nhellothere";
    CHECK(answers(get_1_0 + get_1_0, pieces) == wanted);
    CHECK(answers(get_1_0_kept + get_1_0_kept, pieces) == wanted);
    auto known = [](request&, response& res) -> task<> {
        res.length(2);
        co_await res.write("ab");
    };
    CHECK(twice(get_1_0_kept, known) ==
          "HTTP/1.1 200 OK\r\nDate: *\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab");
}

TEST_CASE("a stream that is asked for by HEAD, or has no content, is its head")
{
    auto pieces = [](request&, response& res) -> task<> {
        co_await res.write("hello");
        co_await res.write("there");
    };
    CHECK(twice(head, pieces) == usual + "Transfer-Encoding: chunked\r\n\r\n");
    auto none = [](request&, response& res) -> task<> {
        res.status(204);
        co_await res.write("hello");
    };
    CHECK(twice(get, none) == "HTTP/1.1 204 No Content\r\nDate: *\r\n\r\n");
    auto reset = [](request&, response& res) -> task<> {
        res.status(205);
        co_await res.write("hello");
    };
    CHECK(twice(get, reset) ==
          "HTTP/1.1 205 Reset Content\r\nDate: *\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("who writes much to a client that wants the head alone gives others their turn")
{
    struct endless {
        static task<> stop(bool* done)
        {
            *done = true;
            co_return;
        }
        static task<> answer(request&, response& res)
        {
            bool done = false;
            vk::thread_handle stopping = vk::spawn(stop, &done);
            std::string text(1000, 'x');
            for (int piece = 0; piece < 10'000 && !done; ++piece)
                co_await res.write(text);
            CHECK(done);
            co_await stopping.join();
        }
    };
    CHECK(twice(head, endless::answer) == usual + "Transfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("a piece that outgrows the ring comes whole")
{
    auto much = [](request&, response& res) -> task<> {
        std::string text = long_text();
        co_await res.write(text);
        co_await res.write("!");
    };
    CHECK(twice(get, much) == usual + "Transfer-Encoding: chunked\r\n\r\n493e0\r\n" + long_text() +
                                  "\r\n1\r\n!\r\n0\r\n\r\n");
}

TEST_CASE("a handler that answers nothing has answered with an empty body")
{
    auto nothing = [](request&, response&) -> task<> { co_return; };
    CHECK(twice(get, nothing) == usual + "Content-Length: 0\r\n\r\n");
    CHECK(twice(get_1_0_kept, nothing) ==
          "HTTP/1.1 200 OK\r\nDate: *\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
    CHECK(answers(head, nothing).starts_with(usual));
}

TEST_CASE("a stream that is shorter than its length breaks the connection off")
{
    auto less = [](request&, response& res) -> task<> {
        res.length(10);
        co_await res.write("abc");
    };
    outcome came = served({.pieces = {get + get}, .answer = less});
    CHECK(came.text == usual + "Content-Length: 10\r\n\r\nabc");
    CHECK(has(came.failure, "shorter than its length"));
    auto none = [](request&, response& res) -> task<> {
        res.length(10);
        co_return;
    };
    CHECK(served({.pieces = {get + get}, .answer = none}).failure != "");
}

TEST_CASE("a stream that is longer than its length is cut there, and the connection broken off")
{
    auto more = [](request&, response& res) -> task<> {
        res.length(5);
        co_await res.write("abc");
        co_await res.write("def");
    };
    outcome came = served({.pieces = {get + get}, .answer = more});
    CHECK(came.text == usual + "Content-Length: 5\r\n\r\nabc");
    CHECK(has(came.failure, "longer than its length"));
}

TEST_CASE(
    "a handler that passes over the failure of a write does not make a short answer look whole")
{
    auto passes_over = [](request&, response& res) -> task<> {
        res.length(5);
        co_await res.write("abc");
        try {
            co_await res.write("def");
        } catch (const vk::error&) {
        }
    };
    outcome came = served({.pieces = {get + get}, .answer = passes_over});
    CHECK(came.text == usual + "Content-Length: 5\r\n\r\nabc");
    CHECK(came.failure != "");
}

TEST_CASE("a stream that failed within a piece does not go on")
{
    // A reader that takes nothing: the write ends in time, and the handler does not care.
    struct deaf {
        static task<> answers(request& req, response& res)
        {
            req.io().set_timeout(std::chrono::milliseconds(20));
            std::string text = long_text();
            try {
                co_await res.write(text);
            } catch (const vk::timed_out&) {
            }
            std::string why;
            try {
                co_await res.write("more");
            } catch (const vk::error& e) {
                why = e.what();
            }
            CHECK(why != "");
        }
        static task<> run(std::string* failure)
        {
            vk::http::site what{answers, vk::http::test::quick_settings()};
            vk::socket client;
            {
                vk::socket server;
                bind(server, client);
                co_await client.write(get);
                try {
                    task<> serving = serve_connection(server, what);
                    co_await std::move(serving);
                } catch (const vk::error& e) {
                    *failure = e.what();
                }
            }
        }
    };
    std::string failure;
    vk::run_local({.heap_pages = 256}, deaf::run, &failure);
    CHECK(failure != "");
}
