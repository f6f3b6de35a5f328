#include "proc/semaphore.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::semaphore;

namespace {

task<> take(semaphore* from, std::string* said)
{
    try {
        co_await from->take();
        *said += "taken ";
    } catch (const vk::cancelled&) {
        *said += "cancelled ";
    }
}

task<> fail_after_yield(const char* why)
{
    co_await vk::yield();
    throw std::runtime_error(why);
}

task<> fail_at_once(const char* why)
{
    throw std::runtime_error(why);
    co_return;
}

} // namespace

// --- join ----------------------------------------------------------------------------------------------

TEST_CASE("a join waits for the end of the thread, and not at all when it has ended")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take, &gate, &said);
        co_await vk::yield();
        CHECK_FALSE(one.ended());
        gate.give();
        CHECK_FALSE(one.ended()); // queued
        co_await one.join();
        CHECK(one.ended());
        CHECK(said == "taken ");

        struct other {
            static task<> run(bool* ran)
            {
                *ran = true;
                co_return;
            }
        };
        bool ran = false;
        thread_handle bystander = spawn(other::run, &ran);
        co_await one.join();
        CHECK_FALSE(ran); // it did not suspend
        co_await bystander.join();
        CHECK(ran);
    });
}

TEST_CASE("what escaped a thread is thrown by each join, whether it ended before or after")
{
    run_local([]() -> task<> {
        thread_handle late = spawn(fail_after_yield, "late");
        thread_handle early = spawn(fail_at_once, "early");
        std::string said;
        try {
            co_await late.join();
        } catch (const std::runtime_error& e) {
            said += e.what();
        }
        CHECK(early.ended());
        for (int i = 0; i < 2; ++i) {
            try {
                co_await early.join();
            } catch (const std::runtime_error& e) {
                said += e.what();
            }
        }
        CHECK(said == "lateearlyearly");
    });
}

namespace {

task<> join_it(const thread_handle* other, std::string* said, char name)
{
    try {
        co_await other->join();
        *said += name;
    } catch (const vk::cancelled&) {
        *said += '!';
    } catch (const std::runtime_error&) {
        *said += static_cast<char>(name - 'a' + 'A');
    }
}

} // namespace

TEST_CASE("several threads join one, and all are told")
{
    run_local([]() -> task<> {
        std::string said;
        thread_handle failing = spawn(fail_after_yield, "to all");
        thread_handle a = spawn(join_it, &failing, &said, 'a');
        thread_handle b = spawn(join_it, &failing, &said, 'b');
        co_await a.join();
        co_await b.join();
        CHECK(said == "AB");
    });
}

TEST_CASE("a join ends early by cancellation of who joins; the thread runs on")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take, &gate, &said);
        thread_handle joiner = spawn(join_it, &one, &said, 'j');
        co_await vk::yield();
        joiner.cancel();
        co_await joiner.join();
        CHECK(said == "!");
        CHECK_FALSE(one.ended());
        gate.give();
        co_await one.join();
        CHECK(said == "!taken ");
    });
}

TEST_CASE("a handle can be moved while its thread is joined")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take, &gate, &said);
        thread_handle joiner = spawn(join_it, &one, &said, 'j');
        co_await vk::yield();
        thread_handle moved = std::move(one);
        CHECK(one.ended()); // NOLINT(bugprone-use-after-move): a handle of nothing
        gate.give();
        co_await moved.join();
        co_await joiner.join();
        CHECK(said == "taken j");
    });
}

// --- detached ------------------------------------------------------------------------------------------

TEST_CASE("a thread whose handle was dropped runs on, and the process waits for it")
{
    std::string said;
    run_local(
        [](std::string& said) -> task<> {
            struct late {
                static task<> run(std::string* said)
                {
                    co_await vk::sleep_for(5ms);
                    *said += "late";
                }
            };
            {
                thread_handle dropped = spawn(late::run, &said);
            }
            said += "main ended, ";
            co_return;
        },
        said);
    CHECK(said == "main ended, late");
}

namespace {

task<> wait_and_note(semaphore* on, std::string* said)
{
    try {
        co_await on->take();
    } catch (const vk::cancelled&) {
        *said += "cancelled ";
        throw;
    }
}

} // namespace

TEST_CASE("an exception of an unattended thread ends the process: all others are cancelled")
{
    vk::test::quiet quiet;
    std::string said;
    semaphore never;
    auto main = [](semaphore& never, std::string& said) -> task<> {
        thread_handle waiting = spawn(wait_and_note, &never, &said);
        spawn(wait_and_note, &never, &said).detach();
        spawn(fail_after_yield, "nobody listens").detach();
        co_await never.take();
        said += "went on ";
    };
    CHECK_THROWS_AS(run_local(main, never, said), vk::cancelled);
    CHECK(said == "cancelled cancelled ");
    CHECK_FALSE(never.waited_for());
}

TEST_CASE("an exception of a thread with a handle harms nobody else")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle bystander = spawn(take, &gate, &said);
        thread_handle failing = spawn(fail_after_yield, "kept");
        co_await vk::yield();
        co_await vk::yield();
        CHECK(failing.ended());
        CHECK_FALSE(bystander.ended());
        gate.give();
        co_await bystander.join();
        CHECK(said == "taken ");
        CHECK_THROWS_WITH(
            [&] {
                auto joined = failing.join();
                (void)joined.await_ready();
                joined.await_resume();
            }(),
            "kept");
    });
}

// --- cancel --------------------------------------------------------------------------------------------

TEST_CASE("cancelling a blocked thread ends its operation, and it has left the list it waited in")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take, &gate, &said);
        co_await vk::yield();
        CHECK(gate.waited_for());
        one.cancel();
        CHECK_FALSE(gate.waited_for());
        gate.give(); // it must not take this one
        co_await one.join();
        CHECK(said == "cancelled ");
        CHECK(gate.count() == 1);
    });
}

TEST_CASE("cancelling a thread that is not blocked ends the next operation that blocks")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take, &gate, &said);
        one.cancel(); // it has not even run
        co_await one.join();
        CHECK(said == "cancelled ");
    });
}

namespace {

task<> take_three(semaphore* from, std::string* said)
{
    for (int i = 0; i < 3; ++i)
        co_await take(from, said);
}

} // namespace

TEST_CASE("a cancellation ends one operation, and not one that does not block")
{
    run_local([]() -> task<> {
        semaphore gate(2);
        std::string said;
        thread_handle one = spawn(take_three, &gate, &said);
        one.cancel();
        co_await one.join();
        CHECK(said == "taken taken cancelled ");
    });
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take_three, &gate, &said);
        one.cancel();
        co_await vk::yield(); // it blocks,
        co_await vk::yield(); // and is woken
        CHECK(said == "cancelled ");
        CHECK(gate.waited_for()); // in the second one
        gate.give(2);
        co_await one.join();
        CHECK(said == "cancelled taken taken ");
    });
}

TEST_CASE("a cancellation that comes when a thread was woken, and would block again, is not lost")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle first = spawn(take, &gate, &said);
        thread_handle second = spawn(take, &gate, &said);
        co_await vk::yield();
        gate.give(1);    // both are queued, and one will find nothing
        second.cancel(); // it is not blocked at this moment
        co_await vk::yield();
        co_await vk::yield();
        CHECK(first.ended());
        CHECK(second.ended());
        CHECK(said == "taken cancelled ");
        gate.give(1); // so that a test that failed ends
        co_await second.join();
    });
}

TEST_CASE("a thread that was woken and finds nothing waits on, with its deadline")
{
    run_local([]() -> task<> {
        struct with_deadline {
            static task<> run(semaphore* from, std::string* said)
            {
                try {
                    co_await from->take(vk::os::now() + 5'000'000);
                    *said += "taken ";
                } catch (const vk::timed_out&) {
                    *said += "late ";
                }
            }
        };
        semaphore gate;
        std::string said;
        thread_handle first = spawn(with_deadline::run, &gate, &said);
        thread_handle second = spawn(with_deadline::run, &gate, &said);
        co_await vk::yield();
        gate.give(1);
        co_await first.join();
        CHECK(said == "taken ");
        CHECK_FALSE(second.ended());
        CHECK(gate.waited_for());
        co_await second.join();
        CHECK(said == "taken late ");
        CHECK_FALSE(gate.waited_for());
    });
}

TEST_CASE("cancelling a thread that has ended does nothing")
{
    run_local([]() -> task<> {
        semaphore gate(1);
        std::string said;
        thread_handle one = spawn(take, &gate, &said);
        co_await one.join();
        one.cancel();
        co_await one.join();
        CHECK(said == "taken ");
    });
}

// --- deadlines -----------------------------------------------------------------------------------------

namespace {

task<> take_until(semaphore* from, vk::nanoseconds deadline, std::string* said)
{
    try {
        co_await from->take(deadline);
        *said += "taken ";
    } catch (const vk::timed_out& e) {
        *said += "late ";
        CHECK(vk::os::now() >= deadline);
        CHECK(e.code() == std::errc::timed_out);
    }
}

} // namespace

TEST_CASE("a deadline ends an operation when it has passed, not before, and leaves the list")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take_until, &gate, vk::os::now() + 3'000'000, &said);
        co_await vk::yield();
        CHECK(said.empty());
        co_await one.join();
        CHECK(said == "late ");
        gate.give();
        co_await vk::yield();
        CHECK(gate.count() == 1);
    });
}

TEST_CASE("what comes before the deadline disarms it")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle one = spawn(take_until, &gate, vk::os::now() + 3'600'000'000'000, &said);
        co_await vk::yield();
        gate.give();
        co_await one.join();
        CHECK(said == "taken ");
    }); // and the run does not wait for the hour
}
