#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/start_process.hpp>
#include <vk/kernel/stop.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

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
    const vk::program* child = nullptr;
    std::chrono::milliseconds span{0};
    std::chrono::milliseconds busy{0}; // before it is stopped, in the same turn
    exit_reason why{kind::missing};
    std::chrono::nanoseconds took{0};
    int cancelled = 0;
    int caught = 0;
    int ran = 0;
};

task<> sleep_on(int, seen& by)
{
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        ++by.cancelled;
        throw;
    }
}

task<> end_in_order(int, seen& by)
{
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        ++by.cancelled;
    }
    co_await vk::sleep_for(10ms);
    ++by.ran;
}

task<> never_end(int, seen& by)
{
    for (;;) {
        try {
            co_await vk::sleep_for(1h);
        } catch (const vk::cancelled&) {
            ++by.cancelled;
        }
    }
}

task<> run_on(int, seen& by)
{
    for (;;) {
        ++by.ran;
        vk::process::current().spend_all();
        co_await vk::yield();
    }
}

task<> stop_it(int, seen& by)
{
    process_id child = co_await vk::start_process(*by.child);
    auto before = vk::clock::now();
    while (vk::clock::now() - before < by.busy) {}
    before = vk::clock::now();
    by.why = co_await vk::stop(child, by.span);
    by.took = vk::clock::now() - before;
}

seen stopped(task<> (*child)(int, seen&), std::chrono::milliseconds span,
             std::chrono::milliseconds busy = {})
{
    quiet hushed;
    seen by;
    by.span = span;
    by.busy = busy;
    fd_program<seen> what(child, by);
    by.child = &what;
    fd_program<seen> stopping(stop_it, by);
    vk::counters counted = run_process(stopping);
    CHECK(counted.processes_ended == 2);
    return by;
}

} // namespace

TEST_CASE("a process that is stopped is cancelled")
{
    seen by = stopped(sleep_on, 10s);
    CHECK(by.why.what == kind::cancelled);
    CHECK(by.cancelled == 1);
    CHECK(by.took < 5s);
}

TEST_CASE("a process that is stopped may end in its own way, within the span")
{
    seen by = stopped(end_in_order, 10s);
    CHECK(by.why.what == kind::normal);
    CHECK(by.cancelled == 1);
    CHECK(by.ran == 1);

    by = stopped(end_in_order, vk::infinity);
    CHECK(by.why.what == kind::normal);
    CHECK(by.ran == 1);
}

TEST_CASE("a process that has not ended within the span is discarded")
{
    seen by = stopped(never_end, 20ms);
    CHECK(by.why.what == kind::discarded);
    CHECK(by.cancelled == 1);
    CHECK(by.took >= 20ms);

    by = stopped(never_end, 20ms, 30ms); // however long the turn has lasted when it is asked for
    CHECK(by.took >= 20ms);

    by = stopped(run_on, 20ms); // one that never waits
    CHECK(by.ran > 0);
}

TEST_CASE("a brutal kill leaves no time, and runs nothing")
{
    seen by = stopped(sleep_on, vk::brutal_kill);
    CHECK(by.why.what == kind::discarded);
    CHECK(by.cancelled == 0);
}

TEST_CASE("stopping a process that is no more says that it is missing")
{
    struct stopper {
        static task<> run(int, seen& by) { by.why = co_await vk::stop({99, 3}, 1s); }
    };
    seen by;
    by.why.what = kind::normal;
    fd_program<seen> what(stopper::run, by);
    run_process(what);
    CHECK(by.why.what == kind::missing);
}

TEST_CASE("a stop goes on when nobody waits for it any more")
{
    struct stopper {
        static task<> stop_child(process_id child) { (void)co_await vk::stop(child, 30ms); }
        static task<> run(int, seen& by)
        {
            monitor_handle child = co_await vk::start_monitored(*by.child);
            vk::thread_handle stopping = vk::spawn(stop_child, child.id());
            co_await vk::sleep_for(5ms);
            stopping.cancel();
            try {
                co_await stopping.join();
            } catch (const vk::cancelled&) {
                ++by.caught;
            }
            by.why = co_await child.down();
        }
    };
    quiet hushed;
    seen by;
    fd_program<seen> child(never_end, by);
    by.child = &child;
    fd_program<seen> what(stopper::run, by);
    run_process(what);
    CHECK(by.caught == 1);
    CHECK(by.why.what == kind::discarded);
}

TEST_CASE("a child ends with its parent")
{
    struct parent {
        static task<> run(int, seen& by)
        {
            monitor_handle child = co_await vk::start_child(*by.child);
            co_await vk::sleep_for(2ms);
        } // the handle goes before its process does, and with it the monitor
    };
    quiet hushed;
    seen by;
    fd_program<seen> child(sleep_on, by);
    by.child = &child;
    fd_program<seen> what(parent::run, by);
    run_process(what);
    CHECK(by.cancelled == 1);
}
