#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/link.hpp>
#include <vk/kernel/start_process.hpp>
#include <vk/kernel/stop.hpp>
#include <vk/proc/yield.hpp>

#include <cerrno>
#include <chrono>
#include <vector>

using namespace std::chrono_literals;
using vk::exit_reason;
using vk::monitor_handle;
using vk::process_id;
using vk::task;
using vk::test::fd_program;
using vk::test::quiet;
using vk::test::run_process;
using kind = vk::exit_reason::kind;

namespace {

struct seen {
    const vk::program* first = nullptr;
    const vk::program* second = nullptr;
    process_id other; // to which the second links itself
    exit_reason of_first{kind::missing};
    exit_reason of_second{kind::missing};
    int rounds = 1;
    bool undone = false;
    bool linked = false; // then the first may end
    int error = 0;
};

task<> sleep_on(int, seen&)
{
    co_await vk::sleep_for(1h);
}

task<> fail_later(int, seen& by)
{
    while (!by.linked)
        co_await vk::sleep_for(1ms);
    vk::raise(EIO, "the one that fails");
}

task<> end_later(int, seen& by)
{
    while (!by.linked)
        co_await vk::sleep_for(1ms);
}

task<> link_and_sleep(int, seen& by)
{
    for (int round = 0; round < by.rounds; ++round)
        co_await vk::link(by.other);
    if (by.undone)
        co_await vk::unlink(by.other);
    by.linked = true;
    co_await vk::sleep_for(20ms);
}

task<> link_and_fail(int, seen& by)
{
    co_await vk::link(by.other);
    co_await vk::sleep_for(3ms);
    vk::raise(EPIPE, "the one that links");
}

task<> watch_both(int, seen& by)
{
    monitor_handle first = co_await vk::start_monitored(*by.first);
    by.other = first.id();
    monitor_handle second = co_await vk::start_monitored(*by.second);
    by.of_second = co_await second.down();
    if (!first.ended())
        co_await vk::sleep_for(10ms); // what the link does, it does at once
    if (first.ended())
        by.of_first = first.reason();
    else
        (void)co_await vk::stop(first.id(), 1s);
}

seen linked(task<> (*first)(int, seen&), task<> (*second)(int, seen&), seen by = {})
{
    quiet hushed;
    fd_program<seen> one(first, by);
    fd_program<seen> other(second, by);
    by.first = &one;
    by.second = &other;
    fd_program<seen> watching(watch_both, by);
    run_process(watching);
    return by;
}

} // namespace

TEST_CASE("a process that fails takes those it is linked to with it, by its own reason")
{
    seen by = linked(fail_later, link_and_sleep); // the one to which is linked
    CHECK(by.of_first == exit_reason{kind::failed, EIO});
    CHECK(by.of_second == exit_reason{kind::failed, EIO});

    by = linked(sleep_on, link_and_fail); // the one that links
    CHECK(by.of_first == exit_reason{kind::failed, EPIPE});
    CHECK(by.of_second == exit_reason{kind::failed, EPIPE});
}

TEST_CASE("the normal end of a process is nothing to those it is linked to")
{
    seen by = linked(end_later, link_and_sleep);
    CHECK(by.of_first.what == kind::normal);
    CHECK(by.of_second.what == kind::normal);

    by = linked(sleep_on, link_and_sleep);
    CHECK(by.of_first.what == kind::missing); // it lived until it was stopped
    CHECK(by.of_second.what == kind::normal);
}

TEST_CASE("a link is undone at once, however often it was made")
{
    seen by;
    by.rounds = 3;
    by.undone = true;
    by = linked(fail_later, link_and_sleep, by);
    CHECK(by.of_first == exit_reason{kind::failed, EIO});
    CHECK(by.of_second.what == kind::normal);
}

TEST_CASE("a process that links to one that is no more ends")
{
    struct linker {
        static task<> run(int, seen&)
        {
            co_await vk::link({77, 5});
            co_await vk::sleep_for(1h);
        }
    };
    seen by = linked(sleep_on, linker::run);
    CHECK(by.of_second.what == kind::missing);
}

TEST_CASE("a link to itself is nothing")
{
    struct linker {
        static task<> run(int, seen&)
        {
            co_await vk::link(vk::self());
            co_await vk::sleep_for(1ms);
            vk::raise(EIO, "self");
        }
    };
    seen by = linked(sleep_on, linker::run);
    CHECK(by.of_second == exit_reason{kind::failed, EIO});
}

TEST_CASE("a failure runs along a chain of links")
{
    // Each links itself to the one before and starts the next; the last fails.
    struct chain {
        const vk::program* next = nullptr;
        process_id before;
        int length = 0;
        int cancelled = 0;
        exit_reason of_first{kind::missing};

        static task<> run(int, chain& by)
        {
            if (by.length > 0)
                co_await vk::link(by.before);
            by.before = vk::self();
            if (++by.length == 50) {
                co_await vk::sleep_for(2ms);
                vk::raise(EDOM, "the last of the chain");
            }
            (void)co_await vk::start_process(*by.next);
            try {
                co_await vk::sleep_for(1h);
            } catch (const vk::cancelled&) {
                ++by.cancelled;
                throw;
            }
        }
        static task<> watch(int, chain& by)
        {
            monitor_handle first = co_await vk::start_monitored(*by.next);
            by.of_first = co_await first.down();
        }
    };
    quiet hushed;
    chain by;
    fd_program<chain> what(chain::run, by);
    by.next = &what;
    fd_program<chain> watching(chain::watch, by);
    run_process(watching);
    CHECK(by.length == 50);
    CHECK(by.cancelled == 49);
    CHECK(by.of_first == exit_reason{kind::failed, EDOM});
}
