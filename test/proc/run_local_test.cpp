#include "proc/semaphore.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <memory>
#include <stdexcept>
#include <string>

using Catch::Matchers::ContainsSubstring;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::test::semaphore;

TEST_CASE("a local run runs its main to its end, with the arguments it was given")
{
    int sum = 0;
    auto moved = std::make_unique<int>(3);
    run_local(
        [](int& sum, int by_value, std::unique_ptr<int> moved) -> task<> {
            sum += by_value;
            co_await vk::yield();
            sum += *moved;
        },
        sum, 4, std::move(moved));
    CHECK(sum == 7);
    CHECK(moved == nullptr);
}

TEST_CASE("what escapes main is thrown by the run")
{
    auto main = [](bool first) -> task<> {
        if (!first)
            co_await vk::yield();
        throw std::runtime_error("escaped");
    };
    CHECK_THROWS_WITH(run_local(main, true), "escaped");
    CHECK_THROWS_WITH(run_local(main, false), "escaped");
}

TEST_CASE("threads that main spawned end before the run does, even if main failed")
{
    std::string said;
    auto main = [](std::string& said) -> task<> {
        struct late {
            static task<> run(std::string* said)
            {
                for (int i = 0; i < 5; ++i)
                    co_await vk::yield();
                *said += "late";
            }
        };
        spawn(late::run, &said).detach();
        throw std::runtime_error("early");
        co_return;
    };
    CHECK_THROWS_WITH(run_local(main, said), "early");
    CHECK(said == "late");
}

TEST_CASE("a run whose threads all wait for what cannot come ends with EDEADLK, and says who waits")
{
    // In a child: what the waiting threads hold is never destroyed.
    vk::test::ending ended = vk::test::in_child([] {
        try {
            run_local([]() -> task<> {
                struct waiter {
                    static task<> run(semaphore* on) { co_await on->take(); }
                };
                semaphore never;
                spawn(waiter::run, &never).detach();
                co_await never.take();
            });
        } catch (const vk::error& e) {
            return e.code() == std::errc::resource_deadlock_would_occur ? 7 : 1;
        }
        return 2;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(7));
    CHECK_THAT(ended.said, ContainsSubstring("thread 1 waits for ever: take"));
    CHECK_THAT(ended.said, ContainsSubstring("thread 2 waits for ever: take"));
    CHECK_THAT(ended.said, ContainsSubstring("run_local_test.cpp:"));
}

TEST_CASE("a thread that waits for a file descriptor waits for what cannot come")
{
    vk::test::socket_pair fds;
    vk::test::ending ended = vk::test::in_child([&fds] {
        try {
            run_local(
                [](int fd) -> task<> {
                    vk::descriptor at(fd);
                    vk::socket io(at, at);
                    char byte;
                    co_await io.read(std::span(&byte, 1));
                },
                fds.near.get());
        } catch (const vk::error& e) {
            return e.code() == std::errc::resource_deadlock_would_occur ? 7 : 1;
        }
        return 2;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(7));
    CHECK_THAT(ended.said, ContainsSubstring("thread 1 waits for ever: read"));
}

TEST_CASE("a main that needs more heap than there is ends with heap_exhausted")
{
    vk::test::quiet quiet;
    auto main = []() -> task<> {
        volatile char much[64 * 1024] = {};
        co_await vk::yield();
        CHECK(much[0] == 0);
    };
    CHECK_THROWS_AS(run_local({.heap_pages = 4}, main), vk::heap_exhausted);
    run_local({.heap_pages = 40}, main);
}

TEST_CASE("runs follow each other, and one leaves nothing behind")
{
    std::size_t fds = vk::test::open_fds();
    auto before = vk::test::allocations_now();
    int count = 0;
    for (int i = 0; i < 100; ++i)
        run_local(
            [](int& count) -> task<> {
                co_await vk::yield();
                ++count;
            },
            count);
    bool same = vk::test::allocations_now() == before;
    CHECK(same);
    CHECK(count == 100);
    CHECK(vk::test::open_fds() == fds);
    CHECK(vk::frame_stack::current == nullptr);
}
