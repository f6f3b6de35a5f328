#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/base/os.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

task<> say(std::string* said, char name, int times)
{
    for (int i = 0; i < times; ++i) {
        *said += name;
        co_await vk::yield();
    }
}

} // namespace

TEST_CASE("threads that yield run in turn, in the order in which they were spawned")
{
    std::string said;
    run_local(
        [](std::string& said) -> task<> {
            thread_handle a = spawn(say, &said, 'a', 3);
            thread_handle b = spawn(say, &said, 'b', 2);
            thread_handle c = spawn(say, &said, 'c', 3);
            said += '|'; // none of them has run yet
            co_await a.join();
            co_await b.join();
            co_await c.join();
            said += '|';
        },
        said);
    CHECK(said == "|abcabcac|");
}

TEST_CASE("a thread that yields alone goes on at once")
{
    std::string said;
    run_local([](std::string& said) -> task<> { co_await say(&said, 'x', 5); }, said);
    CHECK(said == "xxxxx");
}

namespace {

task<> sleep_and_say(std::string* said, char name, std::chrono::milliseconds span)
{
    co_await vk::sleep_for(span);
    *said += name;
}

} // namespace

TEST_CASE("sleepers wake in the order of their deadlines")
{
    std::string said;
    run_local(
        [](std::string& said) -> task<> {
            thread_handle a = spawn(sleep_and_say, &said, 'a', 30ms);
            thread_handle b = spawn(sleep_and_say, &said, 'b', 10ms);
            thread_handle c = spawn(sleep_and_say, &said, 'c', 20ms);
            co_await vk::sleep_for(1ms);
            said += '|';
            co_await a.join();
            co_await b.join();
            co_await c.join();
        },
        said);
    CHECK(said == "|bca");
}

TEST_CASE("sleepers with one deadline wake in the order in which they went to sleep")
{
    std::string said;
    run_local(
        [](std::string& said) -> task<> {
            struct sleeper {
                static task<> run(std::string* said, char name, vk::clock::time_point until)
                {
                    co_await vk::sleep_until(until);
                    *said += name;
                }
            };
            vk::clock::time_point until = vk::clock::now() + 5ms;
            thread_handle a = spawn(sleeper::run, &said, 'a', until);
            thread_handle b = spawn(sleeper::run, &said, 'b', until);
            thread_handle c = spawn(sleeper::run, &said, 'c', until);
            co_await a.join();
            co_await b.join();
            co_await c.join();
        },
        said);
    CHECK(said == "abc");
}

TEST_CASE("a sleep lasts at least as long as was asked")
{
    run_local([]() -> task<> {
        vk::clock::time_point before = vk::clock::now();
        co_await vk::sleep_for(3ms);
        CHECK(vk::clock::now() - before >= 3ms);
        co_await vk::sleep_until(before + 5ms);
        CHECK(vk::clock::now() - before >= 5ms);
    });
}

TEST_CASE("a deadline that has passed does not suspend, so no other thread runs")
{
    std::string said;
    run_local(
        [](std::string& said) -> task<> {
            thread_handle other = spawn(say, &said, 'o', 1);
            co_await vk::sleep_for(0ms);
            co_await vk::sleep_for(-5ms);
            co_await vk::sleep_until(vk::clock::now() - 1h);
            said += '|';
            co_await other.join();
        },
        said);
    CHECK(said == "|o");
}

TEST_CASE("a sleeper keeps no other thread from running")
{
    std::string said;
    run_local(
        [](std::string& said) -> task<> {
            thread_handle sleeper = spawn(sleep_and_say, &said, 's', 20ms);
            for (int i = 0; i < 3; ++i) {
                said += '.';
                co_await vk::yield();
            }
            co_await sleeper.join();
        },
        said);
    CHECK(said == "...s");
}

namespace {

task<> sleep_long(std::string* said)
{
    try {
        co_await vk::sleep_for(1h);
        *said += "woke";
    } catch (const vk::cancelled& e) {
        *said += e.what();
    }
}

} // namespace

TEST_CASE("a sleep ends early by cancellation, and no timer is left")
{
    std::string said;
    auto before = vk::clock::now();
    run_local(
        [](std::string& said) -> task<> {
            thread_handle sleeper = spawn(sleep_long, &said);
            co_await vk::yield();
            sleeper.cancel();
            CHECK(said.empty()); // only queued
            co_await sleeper.join();
        },
        said);
    CHECK_THAT(said, Catch::Matchers::ContainsSubstring("sleep"));
    CHECK(vk::clock::now() - before < 1min);
}

TEST_CASE("a sleep without end is one")
{
    // after() saturates: not a deadline in the past.
    run_local([]() -> task<> {
        std::string said;
        struct sleeper {
            static task<> run(std::string* said)
            {
                try {
                    co_await vk::sleep_for(std::chrono::nanoseconds::max());
                    *said = "woke";
                } catch (const vk::cancelled&) {
                    *said = "cancelled";
                }
            }
        };
        thread_handle one = spawn(sleeper::run, &said);
        co_await vk::sleep_for(1ms);
        CHECK_FALSE(one.ended());
        one.cancel();
        co_await one.join();
        CHECK(said == "cancelled");
    });
}
