#include "proc/process_by_hand.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/base/hardware_fault.hpp>
#include <vk/proc/next_failure.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <cerrno>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using vk::exit_reason;
using vk::outcome;
using vk::spawn;
using vk::task;
using vk::thread_failure;
using vk::test::process_by_hand;
using vk::test::quiet;
using kind = vk::exit_reason::kind;

namespace {

struct seen {
    std::vector<thread_failure> failures;
    std::vector<std::string> said;
    bool went_on = false;
    bool was_cancelled = false;
    std::size_t pages_in_use = 0;
};

task<> fail(int number)
{
    co_await vk::yield();
    vk::raise(number, "the thread");
}

task<> fault()
{
    co_await vk::yield();
    throw vk::hardware_fault(SIGSEGV, 1, 0x10, 0x20);
}

task<> throw_number()
{
    co_await vk::yield();
    throw 7;
}

task<> live_on(seen* by)
{
    for (int turn = 0; turn < 20; ++turn)
        co_await vk::yield();
    by->went_on = true;
}

task<> supervise(seen* by)
{
    while (std::optional<thread_failure> found = co_await vk::next_failure())
        by->failures.push_back(*found);
}

// Dispatch until it ends.
void run(process_by_hand& one)
{
    for (int turn = 0; turn < 1000; ++turn)
        if (one.dispatch() == outcome::ended)
            return;
    FAIL("it does not end");
}

} // namespace

TEST_CASE("a supervising thread is told of the failures of others, which live on")
{
    struct main {
        static task<> run(seen* by)
        {
            spawn(fail, EIO).detach();
            spawn(fault).detach();
            spawn(throw_number).detach();
            spawn(live_on, by).detach();
            co_await supervise(by);
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    run(one);
    CHECK(one.made.reason().is_normal());
    CHECK(one.shared->count.processes_failed == 0);
    CHECK(by.went_on);
    REQUIRE(by.failures.size() == 3);
    CHECK(by.failures[0].thread == 2);
    CHECK(by.failures[0].reason == exit_reason{kind::failed, EIO});
    CHECK(by.failures[1].reason == exit_reason{kind::fault, SIGSEGV, 0x10, 0x20});
    CHECK(by.failures[2].reason.what == kind::failed);
    CHECK_THROWS_AS(std::rethrow_exception(by.failures[0].exception), vk::error);
    CHECK_THROWS_AS(std::rethrow_exception(by.failures[1].exception), vk::hardware_fault);
    CHECK_THROWS_AS(std::rethrow_exception(by.failures[2].exception), int);
}

TEST_CASE("without a supervising thread a failure ends the process")
{
    struct main {
        static task<> run(seen* by)
        {
            spawn(fail, EIO).detach();
            co_await live_on(by);
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    run(one);
    CHECK(one.made.reason() == exit_reason{kind::failed, EIO});
}

TEST_CASE(
    "failures that come before they are taken queue, and their threads are freed when they are")
{
    struct main {
        static task<> run(seen* by)
        {
            std::size_t before = vk::process::current().heap().pages_used();
            spawn(fail, 0).detach();
            std::optional<thread_failure> first = co_await vk::next_failure();
            bool supervises = first.has_value();
            first.reset();
            for (int number = 1; number <= 5; ++number)
                spawn(fail, number).detach();
            for (int turn = 0; turn < 5; ++turn)
                co_await vk::yield();
            std::size_t pending = vk::process::current().heap().pages_used();
            if (supervises && pending > before)
                co_await supervise(by);
            by->pages_in_use = vk::process::current().heap().pages_used() - before;
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    run(one);
    REQUIRE(by.failures.size() == 5);
    for (int at = 0; at < 5; ++at)
        CHECK(by.failures[static_cast<std::size_t>(at)].reason.code == at + 1);
    CHECK(by.pages_in_use == 0);
    CHECK(one.made.reason().is_normal());
}

TEST_CASE("what a supervising thread leaves behind ends the process")
{
    struct main {
        static task<> supervise_once(seen* by)
        {
            std::optional<thread_failure> first = co_await vk::next_failure();
            if (first)
                by->failures.push_back(*first);
            for (int turn = 0; turn < 5; ++turn)
                co_await vk::yield(); // meanwhile the others fail
        }
        static task<> run(seen* by)
        {
            spawn(supervise_once, by).detach();
            spawn(fail, EIO).detach();
            spawn(fail, EPIPE).detach();
            spawn(fail, EDOM).detach();
            co_await live_on(by);
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    run(one);
    CHECK(by.failures.size() == 1);
    CHECK(one.made.reason() == exit_reason{kind::failed, EPIPE});
    CHECK(one.shared->count.processes_failed == 1);
}

TEST_CASE("the failure of a supervising thread ends the process, and so does one after its end")
{
    struct main {
        static task<> take_and_fail()
        {
            std::optional<thread_failure> first = co_await vk::next_failure();
            if (first)
                std::rethrow_exception(first->exception);
        }
        static task<> run(seen* by)
        {
            spawn(take_and_fail).detach();
            spawn(fail, ERANGE).detach();
            co_await live_on(by);
        }
        static task<> take_one() { (void)co_await vk::next_failure(); }
        static task<> run_on(seen* by)
        {
            spawn(take_one).detach();
            spawn(fail, ERANGE).detach();
            for (int turn = 0; turn < 5; ++turn)
                co_await vk::yield();
            spawn(fail, EIO).detach();
            co_await live_on(by);
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    run(one);
    CHECK(one.made.reason() == exit_reason{kind::failed, ERANGE});

    process_by_hand other;
    other.start(main::run_on, &by);
    run(other);
    CHECK(other.made.reason() == exit_reason{kind::failed, EIO});
}

TEST_CASE("a thread that somebody joins fails for who joins it, not for the supervising thread")
{
    struct main {
        static task<> join(seen* by)
        {
            vk::thread_handle one = spawn(fail, EIO);
            try {
                co_await one.join();
            } catch (const vk::error& e) {
                by->said.emplace_back(e.what());
            }
        }
        static task<> run(seen* by)
        {
            spawn(join, by).detach();
            co_await supervise(by);
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    run(one);
    CHECK(by.failures.empty());
    CHECK(by.said.size() == 1);
}

TEST_CASE("waiting for a failure is ended by cancellation")
{
    struct main {
        static task<> run(seen* by)
        {
            spawn(live_on, by).detach();
            try {
                co_await supervise(by);
            } catch (const vk::cancelled&) {
                by->was_cancelled = true;
            }
        }
    };
    quiet hushed;
    seen by;
    process_by_hand one;
    one.start(main::run, &by);
    one.made.cancel();
    run(one);
    CHECK(by.was_cancelled);
    CHECK(by.went_on);
}
