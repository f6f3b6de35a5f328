#include "gateway/served.hpp"

#include <vk/base/error.hpp>

#include <string>

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

std::string post(const std::string& body, const std::string& fields = "")
{
    return "POST / HTTP/1.1\r\nHost: h\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chunked(const std::string& body, std::size_t piece = 7)
{
    std::string text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += piece) {
        std::string part = body.substr(at, piece);
        char size[20];
        std::snprintf(size, sizeof(size), "%zx\r\n", part.size());
        text += size + part + "\r\n";
    }
    return text + "0\r\n\r\n";
}

const std::string alphabet = "abcdefghijklmnopqrstuvwxyz";

std::string long_body()
{
    std::string body;
    while (body.size() < 100'000)
        body += alphabet + std::to_string(body.size());
    return body;
}

task<> whole(request& req, response& res)
{
    std::string_view body = co_await req.body();
    std::string kept(body); // the ring is another's when the answer is longer than it
    co_await res.send(kept);
}

// Read into a span of 5 bytes, once at the least, then the rest at once.
task<> some_then_all(request& req, response& res)
{
    char first[5];
    std::size_t count = co_await req.read(first);
    std::string text(first, count);
    text += "|";
    std::string_view rest = co_await req.body();
    text += rest;
    co_await res.send(text);
}

task<> by_pieces(request& req, response& res)
{
    std::string text;
    for (;;) {
        std::string_view piece = co_await req.read_piece();
        if (piece.empty())
            break;
        text += piece;
    }
    std::string_view again = co_await req.read_piece();
    CHECK(again.empty());
    co_await res.send(text);
}

task<> by_spans(request& req, response& res)
{
    std::string text;
    for (;;) {
        char some[1000];
        std::size_t count = co_await req.read(some);
        if (count == 0)
            break;
        text.append(some, count);
    }
    co_await res.send(text);
}

task<> ignores(request&, response& res)
{
    co_await res.send("ok");
}

} // namespace

TEST_CASE("a body is the same however it is framed, read and cut")
{
    for (const std::string& body : {std::string("x"), alphabet, long_body()})
        for (const std::string& text : {post(body), chunked(body), chunked(body, 30'000)})
            for (auto read : {whole, by_pieces, by_spans})
                for (std::size_t cut :
                     {std::size_t{1} << 30, std::size_t{20'011}, std::size_t{501}}) {
                    script what{.pieces = {}, .answer = read};
                    std::string both = text + text;
                    for (std::size_t at = 0; at < both.size(); at += cut)
                        what.pieces.push_back(both.substr(at, cut));
                    outcome came = served(what);
                    REQUIRE(came.failure == "");
                    REQUIRE(count(came.text, body) >= 2);
                    REQUIRE(count(came.text, "200 OK") == 2);
                }
}

TEST_CASE("a request without a body has an empty one")
{
    const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (auto read : {whole, by_pieces, by_spans})
        for (const std::string& text : {get, post(""), chunked("")})
            CHECK(has(answers(text + text, read), "Content-Length: 0\r\n\r\n"));
}

TEST_CASE("what is left of a body that was read in part is what body() gives")
{
    CHECK(last_body(answers(post(alphabet), some_then_all)) == "abcde|fghijklmnopqrstuvwxyz");
    CHECK(last_body(answers(chunked(alphabet), some_then_all)) == "abcde|fghijklmnopqrstuvwxyz");
    // The rest comes later.
    for (const std::string& text : {post(alphabet), chunked(alphabet)}) {
        std::size_t cut = text.find("abc") + 3;
        outcome came =
            served({.pieces = {text.substr(0, cut), text.substr(cut)}, .answer = some_then_all});
        CHECK(last_body(came.text) == "abc|defghijklmnopqrstuvwxyz");
    }
}

TEST_CASE("the head stays readable while the body is read and when it has been")
{
    auto fields = [](request& req, response& res) -> task<> {
        std::string_view mark = *req.field("X-Mark");
        std::string_view path = req.path();
        std::size_t bytes = 0;
        for (;;) {
            std::string_view piece = co_await req.read_piece();
            if (piece.empty())
                break;
            bytes += piece.size();
        }
        CHECK(bytes == long_body().size());
        std::string text =
            std::string(path) + "|" + std::string(mark) + "|" + std::string(req.host());
        co_await res.send(text);
    };
    std::string text = post(long_body(), "X-Mark: the mark\r\n");
    CHECK(has(answers(text + text, fields), "/|the mark|h"));
}

// --- 100-continue

TEST_CASE("a client is told to go on once, when its body is first read, and not when that is not")
{
    std::string text = post(alphabet, "Expect: 100-continue\r\n");
    for (auto read : {whole, by_pieces, by_spans}) {
        std::string said = answers(text, read);
        CHECK(said.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
        CHECK(count(said, "100 Continue") == 1);
    }
    std::string said = answers(text, ignores);
    CHECK_FALSE(has(said, "100 Continue"));
    CHECK(count(said, "HTTP/1.1") == 1); // what follows is a body or a request: nobody knows
    CHECK_FALSE(
        has(answers("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", whole),
            "100"));
}

TEST_CASE("a client whose answer has begun is not told to go on any more")
{
    auto begins = [](request& req, response& res) -> task<> {
        co_await res.write("first");
        std::string_view body = co_await req.body();
        std::string kept(body);
        co_await res.write(kept);
    };
    std::string text = post("body", "Expect: 100-continue\r\n");
    CHECK_FALSE(has(answers(text, begins), "100 Continue"));
    CHECK(has(answers(text, begins), "5\r\nfirst\r\n4\r\nbody\r\n0\r\n\r\n"));
    auto ends = [](request& req, response& res) -> task<> {
        co_await res.send("first");
        std::string_view piece = co_await req.read_piece();
        CHECK(piece == "body");
    };
    std::string said = answers(text, ends);
    CHECK_FALSE(has(said, "100 Continue"));
    CHECK(said.ends_with("\r\n\r\nfirst"));
}

// --- what is refused

TEST_CASE("a body that ends early is 400, and nothing of it is a request")
{
    for (auto read : {whole, by_pieces, by_spans}) {
        std::string text = post(alphabet);
        std::string said = answers(text.substr(0, text.size() - 1), read);
        CHECK(said.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        CHECK(has(said, "Connection: close\r\n"));
        CHECK(count(said, "HTTP/1.1") == 1);
        text = chunked(alphabet);
        said = answers(text.substr(0, text.size() - 1), read);
        CHECK(said.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    }
}

TEST_CASE("a malformed chunk is 400, and nothing behind it is a request")
{
    std::string text =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n";
    for (auto read : {whole, by_pieces, by_spans}) {
        std::string said = answers(text + post("x"), read);
        CHECK(said.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        CHECK(count(said, "HTTP/1.1") == 1);
    }
}

TEST_CASE("a malformed chunk that no handler reads ends the connection quietly")
{
    std::string text =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n";
    std::string said = answers(text + post("x"), ignores);
    CHECK(said.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(count(said, "HTTP/1.1") == 1);
}

TEST_CASE("a body beyond the bound is 413, however it is framed")
{
    vk::http::settings how = quick_settings();
    how.bounds.body_bytes = 20;
    for (auto read : {whole, by_pieces, by_spans}) {
        for (const std::string& text : {post(alphabet), chunked(alphabet), chunked(alphabet, 21)}) {
            outcome came = served({.pieces = {text + text}, .answer = read, .how = how});
            CHECK(came.text.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
            CHECK(count(came.text, "HTTP/1.1") == 1);
        }
        for (const std::string& text :
             {post(alphabet.substr(0, 20)), chunked(alphabet.substr(0, 20))})
            CHECK(has(served({.pieces = {text}, .answer = read, .how = how}).text, "200 OK"));
    }
}

TEST_CASE("a body that outgrows the heap is 413 to who wants it whole, and no matter to who reads "
          "it in pieces")
{
    for (const std::string& text : {post(long_body()), chunked(long_body())}) {
        outcome came = served({.pieces = {text}, .answer = whole, .heap_pages = 24});
        CHECK(came.text.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
        CHECK(has(came.text, "Connection: close\r\n"));
        auto counts = [](request& req, response& res) -> task<> {
            std::size_t bytes = 0;
            for (;;) {
                std::string_view piece = co_await req.read_piece();
                if (piece.empty())
                    break;
                bytes += piece.size();
            }
            std::string text = std::to_string(bytes);
            co_await res.send(text);
        };
        came = served({.pieces = {text}, .answer = counts, .heap_pages = 24});
        CHECK(last_body(came.text) == std::to_string(long_body().size()));
    }
}

// --- what is left unread

TEST_CASE("a short body that is left unread is passed over, a long one ends the connection")
{
    std::string little = post(alphabet);
    CHECK(count(answers(little + little, ignores), "200 OK") == 2);
    little = chunked(alphabet);
    CHECK(count(answers(little + little, ignores), "200 OK") == 2);
    std::string much = post(long_body());
    CHECK(count(answers(much + much, ignores), "200 OK") == 1);
    // RFC 9112, 9.6: that it ends is told, where it is known before the answer.
    CHECK_FALSE(has(answers(post(alphabet), ignores), "Connection: close\r\n"));
    CHECK(has(answers(much, ignores), "Connection: close\r\n"));
    CHECK(
        has(answers(post(alphabet, "Expect: 100-continue\r\n"), ignores), "Connection: close\r\n"));
    much = chunked(long_body());
    CHECK(count(answers(much + much, ignores), "200 OK") == 1);
}

TEST_CASE("a body that is read in part and left is passed over")
{
    auto peeks = [](request& req, response& res) -> task<> {
        char first[3];
        std::size_t count = co_await req.read(first);
        co_await res.send(std::string_view(first, count));
    };
    for (const std::string& text : {post(alphabet), chunked(alphabet), chunked(alphabet, 2)}) {
        std::string said = answers(text + text, peeks);
        CHECK(count(said, "200 OK") == 2);
        CHECK(said.ends_with("abc") != (text == chunked(alphabet, 2)));
    }
}
