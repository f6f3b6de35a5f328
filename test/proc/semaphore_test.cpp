#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/semaphore.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <optional>
#include <string>

using vk::run_local;
using vk::semaphore;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

task<> take(semaphore* from, char who, std::string* said)
{
    try {
        co_await from->acquire();
        *said += who;
    } catch (const vk::cancelled&) {
        *said += '!';
    }
}

} // namespace

TEST_CASE("units of a semaphore are taken without waiting while there are some")
{
    run_local([]() -> task<> {
        semaphore units(2);
        co_await units.acquire();
        CHECK(units.try_acquire());
        CHECK_FALSE(units.try_acquire());
        units.release(3);
        CHECK(units.units() == 3);
    });
}

TEST_CASE("a unit goes to who waits longest, and nobody takes it meanwhile")
{
    run_local([]() -> task<> {
        semaphore units;
        std::string said;
        spawn(take, &units, 'a', &said).detach();
        thread_handle second = spawn(take, &units, 'b', &said);
        co_await vk::yield();
        units.release();
        CHECK_FALSE(units.try_acquire()); // it is the first one's, who has not run yet
        thread_handle third = spawn(take, &units, 'c', &said);
        co_await vk::yield();
        CHECK(said == "a");
        units.release(3);
        CHECK(units.units() == 1);
        co_await third.join();
        CHECK(said == "abc");
    });
}

TEST_CASE("who is cancelled before it is given a unit takes none, and after that has it")
{
    run_local([]() -> task<> {
        semaphore units;
        std::string said;
        thread_handle one = spawn(take, &units, 'a', &said);
        thread_handle other = spawn(take, &units, 'b', &said);
        co_await vk::yield();
        one.cancel();
        units.release();
        other.cancel(); // too late
        co_await one.join();
        co_await other.join();
        CHECK(said == "!b");
        CHECK(units.units() == 0);
    });
}

TEST_CASE("who waits for a semaphore that goes is cancelled, and so is who was given a unit and "
          "has not run")
{
    run_local([]() -> task<> {
        std::string said;
        for (bool given : {false, true}) {
            std::optional<semaphore> units(std::in_place);
            thread_handle one = spawn(take, &*units, 'a', &said);
            co_await vk::yield();
            if (given)
                units->release();
            units.reset();
            co_await one.join();
        }
        CHECK(said == "!!");
    });
}
