#include "support/catch.hpp"

#include "bench/dialogue.hpp"

#include <string>

using Catch::Matchers::ContainsSubstring;
using vk::bench::dialogue;
using vk::bench::load_error;
using vk::bench::make_dialogue;
using vk::bench::protocol;
using vk::bench::traffic;

namespace {

constexpr std::size_t connections = 2;

traffic http()
{
    traffic kind;
    kind.spoken = protocol::http;
    return kind;
}

auto spoken(const traffic& kind)
{
    auto made = make_dialogue(kind);
    made->begin(connections, dialogue::batch_max);
    return made;
}

std::string answer(const std::string& body, const std::string& more = {})
{
    return "HTTP/1.1 200 OK\r\n" + more + "content-length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

std::size_t take_in_pieces(dialogue& by, const std::string& all, std::size_t piece)
{
    std::size_t answers = 0;
    for (std::size_t at = 0; at < all.size(); at += piece)
        answers += by.take(0, std::string_view(all).substr(at, piece)).answers;
    return answers;
}

void check_refused(const std::string& came, const std::string& why)
{
    INFO(came);
    const auto by = spoken(http());
    CHECK_THROWS_WITH(by->take(0, came), ContainsSubstring(why));
}

} // namespace

TEST_CASE("a line that comes back is an answer, and a part of it is none yet")
{
    const auto by = spoken({});
    const auto sent = by->requests(1, 0, 2);
    REQUIRE(sent.requests == 2);
    CHECK(sent.bytes.size() == 128);
    CHECK(by->take(1, sent.bytes.substr(0, 63)).answers == 0);
    const auto came = by->take(1, sent.bytes.substr(63, 2));
    CHECK(came.answers == 1);
    CHECK(came.partial);
    CHECK(by->take(1, sent.bytes.substr(65)).answers == 1);
}

TEST_CASE("a line of another connection is no answer")
{
    const auto by = spoken({});
    const std::string others(by->requests(1, 0, 1).bytes);
    CHECK_THROWS_AS(by->take(0, others), load_error);
}

TEST_CASE("a batch of lines ends where the lines of a connection begin anew")
{
    const auto by = make_dialogue({});
    by->begin(connections, 3);
    CHECK(by->requests(0, 0, 3).requests == 3);
    CHECK(by->requests(0, 3, 3).requests == 3);
    CHECK(by->requests(0, 5, 3).requests == 1);
    CHECK(by->requests(0, 6, 3).bytes == by->requests(0, 0, 3).bytes);
}

TEST_CASE("a request says what is asked for, on which terms")
{
    auto kind = http();
    kind.path = "/json";
    CHECK(spoken(kind)->requests(0, 0, 1).bytes ==
          "GET /json HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    CHECK(spoken(kind)->requests(0, 7, 100).requests == dialogue::batch_max);
    kind.close = true;
    CHECK_THAT(std::string(spoken(kind)->requests(0, 0, 1).bytes),
               ContainsSubstring("\r\nConnection: close\r\n\r\n"));
    kind.browser = true;
    const auto bytes = spoken(kind)->requests(0, 0, 1).bytes.size();
    CHECK(bytes > 550);
    CHECK(bytes < 650);
}

TEST_CASE("answers are counted whole, however the stream is cut")
{
    const std::string all = answer("Hello, World!") + answer("Hello, World!") + answer("") +
                            answer(std::string(300, 'x'), "Date: today\r\n") + answer("", "A:\r\n");
    for (std::size_t piece = 1; piece <= all.size(); ++piece) {
        const auto by = spoken(http());
        CAPTURE(piece);
        CHECK(take_in_pieces(*by, all, piece) == 5);
        CHECK(take_in_pieces(*by, all, piece) == 5); // with a model to compare with
    }
}

TEST_CASE("an answer without its last byte is none yet")
{
    const auto by = spoken(http());
    const std::string all = answer("Hello") + answer("Hello");
    CHECK(by->take(0, all).answers == 2);
    const auto came = by->take(0, std::string_view(all).substr(0, all.size() - 1));
    CHECK(came.answers == 1);
    CHECK(came.partial);
    CHECK_FALSE(by->take(1, all).partial); // another connection
    CHECK(by->take(0, "o").answers == 1);
}

TEST_CASE("a body longer than the buffer is one answer")
{
    const auto by = spoken(http());
    const std::string long_one = answer(std::string(1'000'000, 'x'));
    CHECK(take_in_pieces(*by, long_one + long_one, 65'536) == 2);
    CHECK(by->answer_bytes() == long_one.size());
}

TEST_CASE("an answer may say that the connection closes")
{
    const auto by = spoken(http());
    by->take(0, answer("Hello"));
    CHECK_FALSE(by->closes());
    by->take(0, answer("Hello", "connection:  Close \r\n"));
    CHECK(by->closes());
}

TEST_CASE("what is no 200 with a Content-Length is refused, and said")
{
    check_refused("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 Not Found");
    check_refused("HTTP/1.1 2000\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 2000");
    check_refused("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 200 OK");
    check_refused("Hello, World!\r\n\r\n", "Hello, World!");
    check_refused("HTTP/1.1 200 OK\r\n\r\n", "0 Content-Length");
    check_refused(answer("", "Content-Length: 0\r\n"), "2 Content-Length");
    check_refused("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length is '-1'");
    check_refused("HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\n", "Content-Length is '1 2'");
    check_refused("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "Content-Length is ''");
    check_refused("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                  "Content-Length is '9");
    check_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "chunked");
    check_refused(std::string(20'000, 'x'), "no end");
}

TEST_CASE("a wrong answer after many right ones is refused")
{
    const auto by = spoken(http());
    std::string all;
    for (int i = 0; i < 10; ++i)
        all += answer("Hello, World!");
    REQUIRE(by->take(0, all).answers == 10);
    CHECK_THROWS_WITH(by->take(0, all + "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
                      ContainsSubstring("500 Oops"));
}
