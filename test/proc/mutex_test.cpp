#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/mutex.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <optional>
#include <stdexcept>
#include <string>

using vk::mutex;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

// Says who it is before and after it has let others run.
task<> say_twice(mutex* alone, char who, std::string* said)
{
    try {
        mutex::guard held = co_await alone->lock();
        *said += who;
        co_await vk::yield();
        *said += who;
    } catch (const vk::cancelled&) {
        *said += '!';
    }
}

task<> fail_with(mutex* alone)
{
    mutex::guard held = co_await alone->lock();
    co_await vk::yield();
    throw std::runtime_error("while it is locked");
}

} // namespace

TEST_CASE("a mutex is held by one thread at a time, in the order in which they came")
{
    run_local([]() -> task<> {
        mutex alone;
        std::string said;
        spawn(say_twice, &alone, 'a', &said).detach();
        spawn(say_twice, &alone, 'b', &said).detach();
        thread_handle last = spawn(say_twice, &alone, 'c', &said);
        co_await last.join();
        CHECK(said == "aabbcc");
        CHECK_FALSE(alone.is_locked());
    });
}

TEST_CASE("a mutex that is handed over cannot be taken by who comes meanwhile")
{
    run_local([]() -> task<> {
        mutex alone;
        std::string said;
        mutex::guard own = co_await alone.lock();
        thread_handle one = spawn(say_twice, &alone, 'a', &said);
        co_await vk::yield();
        own.unlock();
        CHECK_FALSE(own.owns());
        CHECK(alone.is_locked());
        CHECK_FALSE(alone.try_lock());
        mutex::guard again = co_await alone.lock();
        CHECK(said == "aa");
        co_await one.join();
    });
}

TEST_CASE("who holds a mutex and locks it again is told so")
{
    run_local([]() -> task<> {
        mutex alone;
        mutex::guard held = alone.try_lock();
        REQUIRE(held);
        CHECK_FALSE(alone.try_lock());
        CHECK(alone.is_locked());
        bool told = false;
        try {
            (void)co_await alone.lock();
        } catch (const vk::error& e) {
            told = e.code() == std::errc::resource_deadlock_would_occur;
        }
        CHECK(told);
        CHECK(held.owns());
    });
}

TEST_CASE("an exception unlocks, and a wait for a mutex may be cancelled")
{
    run_local([]() -> task<> {
        mutex alone;
        std::string said;
        thread_handle failing = spawn(fail_with, &alone);
        thread_handle waiting = spawn(say_twice, &alone, 'a', &said);
        thread_handle next = spawn(say_twice, &alone, 'b', &said);
        co_await vk::yield();
        waiting.cancel();
        bool failed = false;
        try {
            co_await failing.join();
        } catch (const std::runtime_error&) {
            failed = true;
        }
        CHECK(failed);
        co_await next.join();
        CHECK(said == "!bb");
    });
}

TEST_CASE("a mutex that goes while it is held leaves a guard that holds nothing")
{
    run_local([]() -> task<> {
        std::optional<mutex> alone(std::in_place);
        std::string said;
        mutex::guard held = co_await alone->lock();
        thread_handle waiting = spawn(say_twice, &*alone, 'a', &said);
        co_await vk::yield();
        mutex::guard moved = std::move(held);
        CHECK(moved.owns());
        CHECK_FALSE(held.owns());
        alone.reset();
        CHECK_FALSE(moved.owns());
        co_await waiting.join();
        CHECK(said == "!");

        alone.emplace();
        moved = co_await alone->lock();
        thread_handle woken = spawn(say_twice, &*alone, 'a', &said);
        co_await vk::yield();
        moved.unlock();
        alone.reset(); // it was handed over to a thread that has not run yet
        co_await woken.join();
        CHECK(said == "!!");
    });
}
