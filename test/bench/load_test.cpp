#include "support/catch.hpp"

#include "bench/hogs.hpp"
#include "bench/load.hpp"
#include "bench/slow_server.hpp"

using vk::bench::hogs;
using vk::bench::load;
using vk::bench::slow_server;
using namespace std::chrono_literals;

TEST_CASE("of a load beyond what a server can do, what it answers in the time counts")
{
    const slow_server server(2ms, 1);
    load clients(server.at(), {}, 1, 4);
    const auto result = clients.offer(5'000, {0.1, 0.4});
    CHECK(result.seconds >= 0.4);
    CHECK(result.requests > 0);
    CHECK(result.per_second() <= 505); // 2 ms and more each
    CHECK(result.answered >= result.requests);
    CHECK(result.answered < 2'000); // of 2,500: the rest was never sent
}

TEST_CASE("what has no answer at the end counts with its age")
{
    const slow_server server(2ms, 1);
    load clients(server.at(), {}, 1, 4);
    const auto result = clients.offer(5'000, {0, 0.4});
    CHECK(result.latency.total() >= 2'000); // all that were due
    CHECK(result.latency.at(0.5) >= 100'000'000);
    CHECK(result.latency.max() >= 300'000'000);
}

TEST_CASE("a load may be offered after another, on the same connections")
{
    const slow_server server(1ms, 1);
    load clients(server.at(), {}, 1, 4);
    const auto able = clients.closed_loop({0, 0.1});
    CHECK(clients.offer(10 * able.per_second(), {0, 0.1}).requests > 0);
    const auto below = clients.offer(50, {0, 0.2});
    CHECK(below.requests >= 1);
    CHECK(below.requests <= below.answered);
    CHECK(below.answered <= 60);
}

TEST_CASE("hogs ask in whole lines without end, and their answers are counted")
{
    const slow_server server(1ms, 3);
    load polite(server.at(), {}, 1, 1);
    hogs greedy(server.at(), polite.words(), 2);
    const auto result = polite.offer(100, {0, 0.3}, &greedy);
    CHECK(result.requests > 0);
    CHECK(result.turn.total() > 100);
    CHECK(greedy.per_second() > 0);
    CHECK(greedy.per_second() <= 2 * 1'050); // 1 ms and more each
    CHECK(server.torn() == 0);
}

TEST_CASE("no hogs have no answers")
{
    const slow_server server(0ms, 1);
    load polite(server.at(), {}, 1, 1);
    hogs none(server.at(), polite.words(), 0);
    CHECK(polite.offer(100, {0, 0.05}, &none).requests > 0);
    CHECK(none.per_second() == 0);
}
