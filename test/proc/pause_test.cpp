#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/pause.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread;
using vk::thread_handle;

namespace {

task<> count_turns(int* turns, int most)
{
    for (; *turns < most; ++*turns)
        co_await vk::pause();
}

// Plays its caller back each time that it is called.
task<> answer(thread* caller, std::string* said, int times)
{
    for (int i = 0; i < times; ++i) {
        *said += "called ";
        caller->play();
        co_await vk::pause();
    }
    *said += "ends ";
}

} // namespace

TEST_CASE("a paused thread runs on when it is played, and not before")
{
    run_local([]() -> task<> {
        int turns = 0;
        thread_handle one = spawn(count_turns, &turns, 2);
        for (int i = 0; i < 3; ++i)
            co_await vk::yield();
        CHECK(turns == 0);
        CHECK(one.play());
        CHECK_FALSE(one.play()); // it runs already
        CHECK(turns == 0);
        co_await vk::yield();
        CHECK(turns == 1);
        CHECK(one.play());
        co_await one.join();
        CHECK(turns == 2);
        CHECK_FALSE(one.play());
    });
}

TEST_CASE(
    "to be played while it waits for something else is not remembered, and does not disturb it")
{
    run_local([]() -> task<> {
        struct sleeper {
            static task<> run(std::string* said)
            {
                co_await vk::sleep_for(2ms);
                *said += "slept ";
                co_await vk::pause();
                *said += "played ";
            }
        };
        std::string said;
        thread_handle one = spawn(sleeper::run, &said);
        co_await vk::yield();
        CHECK_FALSE(one.play());
        co_await vk::sleep_for(5ms);
        CHECK(said == "slept ");
        CHECK(one.play());
        co_await one.join();
        CHECK(said == "slept played ");
    });
}

TEST_CASE("call gives control to a thread, and has it back when played")
{
    run_local([]() -> task<> {
        std::string said;
        thread_handle one = spawn(answer, &thread::current(), &said, 2);
        for (int i = 0; i < 2; ++i) {
            co_await one.call();
            said += "back ";
        }
        CHECK(said == "called back called back ");
        co_await one.call(); // it ends without playing its caller
        CHECK(said == "called back called back ends ");
        CHECK(one.ended());
        co_await one.call(); // which has ended
    });
}

TEST_CASE("who is paused, or has called, is ended by a cancellation and by its deadline")
{
    run_local([]() -> task<> {
        struct waits {
            static task<> run(std::string* said)
            {
                try {
                    co_await vk::pause();
                } catch (const vk::cancelled&) {
                    *said += "cancelled ";
                }
            }
        };
        std::string said;
        thread_handle one = spawn(waits::run, &said);
        co_await vk::yield();
        one.cancel();
        CHECK_FALSE(one.play());
        co_await one.join();
        CHECK(said == "cancelled ");

        int turns = 0;
        thread_handle other = spawn(count_turns, &turns, 100);
        bool late = false;
        try {
            co_await vk::timeout(1ms, other.call());
        } catch (const vk::timed_out&) {
            late = true;
        }
        CHECK(late);
        CHECK_FALSE(thread::current().play());
        other.cancel();
        try {
            co_await other.join();
        } catch (const vk::cancelled&) {
        }
    });
}
