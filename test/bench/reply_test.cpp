#include "support/catch.hpp"

#include "bench/dialogue.hpp"
#include "bench/reply.hpp"

#include <string>
#include <thread>
#include <vector>

using vk::bench::http_answers;
using vk::bench::http_reply;
using vk::bench::http_reply_of_threads;
using vk::bench::make_dialogue;

namespace {

constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// How many whole answers a client finds in them.
std::size_t count(std::string_view answers)
{
    vk::bench::traffic kind;
    kind.spoken = vk::bench::protocol::http;
    const auto by = make_dialogue(kind);
    by->begin(1, 1);
    const auto came = by->take(0, answers);
    CHECK_FALSE(came.partial);
    return came.answers;
}

} // namespace

TEST_CASE("each request is answered once, however the stream is cut")
{
    std::string three;
    for (int i = 0; i < 3; ++i)
        three += request;
    for (std::size_t piece = 1; piece <= three.size(); ++piece) {
        CAPTURE(piece);
        http_reply reply;
        std::size_t answers = 0;
        for (std::size_t at = 0; at < three.size(); at += piece)
            answers += count(reply(std::string_view(three).substr(at, piece)));
        CHECK(answers == 3);
    }
}

TEST_CASE("a request without its end is not answered")
{
    http_reply reply;
    CHECK(reply(request.substr(0, request.size() - 1)).empty());
    CHECK(count(reply("\n")) == 1);
    CHECK(reply("\r\r\n\n\r\n\r").empty());
    CHECK(count(reply("\n")) == 1);
    CHECK(reply("\r").empty());
    CHECK(count(reply("\r\n\r\n")) == 1); // the first \r begins nothing
}

TEST_CASE("the smallest requests that fit a read are all answered")
{
    std::string many;
    while (many.size() < http_reply::read_bytes)
        many += "\r\n\r\n";
    http_reply reply;
    CHECK(count(reply(many)) == http_reply::read_bytes / 4);
}

TEST_CASE("on many threads each request is answered once")
{
    std::string many;
    for (int i = 0; i < 100; ++i)
        many += request;
    std::vector<std::size_t> answers(8);
    std::vector<std::thread> threads;
    for (auto& mine : answers)
        threads.emplace_back([&] {
            http_reply_of_threads reply;
            for (std::size_t at = 0; at < many.size(); at += 300)
                mine += reply(std::string_view(many).substr(at, 300)).size() / 130;
        });
    for (auto& each : threads)
        each.join();
    CHECK(answers == std::vector<std::size_t>(8, 100));
}

TEST_CASE("the answer is the one that all servers give")
{
    http_answers answers(1);
    const std::string one(answers.of(1));
    CHECK(one.size() == 130);
    CHECK(one.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(one.ends_with("\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"));
    CHECK(one.find(" GMT\r\n") != one.npos);
}
