#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/monitor.hpp>
#include <vk/kernel/start_process.hpp>
#include <vk/kernel/stop.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using vk::exit_reason;
using vk::kernel_options;
using vk::monitor_handle;
using vk::process_id;
using vk::task;
using vk::test::fd_program;
using vk::test::kernel_here;
using vk::test::kernel_options_here;
using vk::test::quiet;
using vk::test::run_process;
using kind = vk::exit_reason::kind;

namespace {

struct seen {
    const vk::program* child = nullptr;
    const vk::program* other = nullptr;
    std::vector<process_id> ids;
    std::vector<exit_reason> reasons;
    process_id of_child;
    int error = 0;
    int started = 0;
    int ended = 0;
    bool flag = false;
};

task<> end_at_once(int, seen& by)
{
    ++by.started;
    by.of_child = vk::self();
    co_return;
}

task<> end_later(int, seen& by)
{
    ++by.started;
    by.of_child = vk::self();
    co_await vk::sleep_for(2ms);
    ++by.ended;
}

task<> sleep_on(int, seen& by)
{
    ++by.started;
    by.of_child = vk::self();
    co_await vk::sleep_for(1h);
    ++by.ended;
}

task<> fail_later(int, seen& by)
{
    ++by.started;
    co_await vk::sleep_for(1ms);
    vk::raise(EIO, "the child");
}

// A program that cannot start.
class unable final : public vk::program {
public:
    void start(vk::process&, int) const override { throw vk::heap_exhausted(9, 1); }
};

task<> start_and_watch(int, seen& by)
{
    monitor_handle child = co_await vk::start_monitored(*by.child);
    by.ids.push_back(child.id());
    by.flag = child.ended();
    exit_reason why = co_await child.down();
    by.reasons.push_back(why);
    exit_reason again = co_await child.down();
    by.reasons.push_back(again);
}

seen watched(task<> (*child)(int, seen&))
{
    quiet hushed;
    seen by;
    fd_program<seen> what(child, by);
    by.child = &what;
    fd_program<seen> watching(start_and_watch, by);
    run_process(watching);
    return by;
}

} // namespace

// --- starting --------------------------------------------------------------------------------------------

TEST_CASE("a process starts another and learns its id when that has run")
{
    struct starter {
        static task<> run(int, seen& by)
        {
            process_id child = co_await vk::start_process(*by.child);
            by.ids.push_back(child);
            by.flag = by.started == 1;
        }
    };
    seen by;
    fd_program<seen> child(end_later, by);
    by.child = &child;
    fd_program<seen> what(starter::run, by);
    run_process(what);
    CHECK(by.flag);
    CHECK(by.ended == 1);
    REQUIRE(by.ids.size() == 1);
    CHECK(by.ids[0] == by.of_child);
    CHECK(by.ids[0].number == 2);
}

TEST_CASE("a process that cannot be made is an error for who starts it")
{
    struct starter {
        static task<> run(int, seen& by)
        {
            try {
                (void)co_await vk::start_process(*by.child);
            } catch (const vk::error& e) {
                by.error = e.code().value();
            }
        }
    };
    quiet hushed;
    seen by;
    unable child;
    by.child = &child;
    fd_program<seen> what(starter::run, by);
    vk::counters counted = run_process(what);
    CHECK(by.error == ENOMEM);
    CHECK(counted.processes_ended == 2);
}

TEST_CASE("a process for which the kernel has no place is an error for who starts it")
{
    struct starter {
        static task<> run(int, seen& by)
        {
            std::vector<monitor_handle> all;
            try {
                for (;;) {
                    monitor_handle one = co_await vk::start_monitored(*by.child);
                    all.push_back(std::move(one));
                }
            } catch (const vk::error& e) {
                by.error = e.code().value();
            }
            for (monitor_handle& one : all) {
                exit_reason why = co_await vk::stop(one.id(), 1s);
                by.reasons.push_back(why);
            }
        }
    };
    quiet hushed;
    seen by;
    fd_program<seen> child(sleep_on, by);
    by.child = &child;
    fd_program<seen> what(starter::run, by);
    kernel_options options = kernel_options_here();
    options.processes_max = 8;
    kernel_here here(options);
    REQUIRE(here->start(what));
    here->run();
    CHECK(by.error == EAGAIN);
    CHECK(by.reasons.size() == 8 + 64 - 1); // connections and the reserve, less the starter
    for (const exit_reason& why : by.reasons)
        CHECK(why.what == kind::cancelled);
    CHECK(here->processes() == 0);
}

TEST_CASE(
    "who is cancelled while it starts a process has it nevertheless, and meets the end afterwards")
{
    struct starter {
        static task<> start(seen* by)
        {
            monitor_handle child = co_await vk::start_monitored(*by->child);
            by->ids.push_back(child.id());
            try {
                co_await vk::sleep_for(1h);
            } catch (const vk::cancelled&) {
                by->flag = true;
            }
        }
        static task<> run(int, seen& by)
        {
            vk::thread_handle starting = vk::spawn(start, &by);
            co_await vk::yield(); // the request is left
            starting.cancel();
            co_await starting.join();
        }
    };
    seen by;
    fd_program<seen> child(end_later, by);
    by.child = &child;
    fd_program<seen> what(starter::run, by);
    run_process(what);
    CHECK(by.ids.size() == 1);
    CHECK(by.flag);
    CHECK(by.ended == 1);
}

// --- ends ------------------------------------------------------------------------------------------------

TEST_CASE("a monitor tells why a process has ended, as often as it is asked")
{
    seen by = watched(end_later);
    CHECK_FALSE(by.flag);
    REQUIRE(by.reasons.size() == 2);
    CHECK(by.reasons[0].what == kind::normal);
    CHECK(by.reasons[1].what == kind::normal);

    by = watched(fail_later);
    REQUIRE(by.reasons.size() == 2);
    CHECK(by.reasons[0] == exit_reason{kind::failed, EIO});
    CHECK(by.reasons[1] == exit_reason{kind::failed, EIO});
}

TEST_CASE("the end of a process that ends as soon as it has started is not missed")
{
    seen by = watched(end_at_once);
    REQUIRE(by.reasons.size() == 2);
    CHECK(by.reasons[0].what == kind::normal);
    CHECK(by.ids[0] == by.of_child);
}

TEST_CASE("a process that never was, or is no more, is missing")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            monitor_handle nobody = co_await vk::monitor({4711, 7});
            exit_reason why = co_await nobody.down();
            by.reasons.push_back(why);
            monitor_handle nowhere = co_await vk::monitor({1, 1u << 30});
            why = co_await nowhere.down();
            by.reasons.push_back(why);

            process_id child = co_await vk::start_process(*by.child);
            process_id second = co_await vk::start_process(*by.other); // in the place of the first
            by.flag = child.place == second.place && child.number != second.number;
            monitor_handle gone = co_await vk::monitor(child);
            why = co_await gone.down();
            by.reasons.push_back(why);
        }
    };
    seen by;
    fd_program<seen> child(end_at_once, by);
    fd_program<seen> other(end_later, by);
    by.child = &child;
    by.other = &other;
    fd_program<seen> what(watcher::run, by);
    run_process(what);
    CHECK(by.flag);
    REQUIRE(by.reasons.size() == 3);
    for (const exit_reason& why : by.reasons)
        CHECK(why.what == kind::missing);
    CHECK(by.ended == 1);
}

TEST_CASE("there may be several monitors, of one process and of many")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            monitor_handle first = co_await vk::start_monitored(*by.child);
            monitor_handle second = co_await vk::monitor(first.id());
            monitor_handle other = co_await vk::monitor(by.ids[0]);
            exit_reason why = co_await second.down();
            by.reasons.push_back(why);
            why = co_await first.down();
            by.reasons.push_back(why);
            why = co_await other.down();
            by.reasons.push_back(why);
        }
    };
    struct starter {
        static task<> run(int, seen& by)
        {
            by.ids.push_back(vk::self());
            (void)co_await vk::start_process(*by.other);
            (void)co_await vk::start_process(*by.other);
        }
    };
    quiet hushed;
    seen by;
    fd_program<seen> child(fail_later, by);
    fd_program<seen> other(watcher::run, by);
    by.child = &child;
    by.other = &other;
    fd_program<seen> what(starter::run, by);
    run_process(what);
    REQUIRE(by.reasons.size() == 6);
    int failed = 0;
    int others = 0;
    for (const exit_reason& why : by.reasons) {
        failed += why.what == kind::failed;
        others += why.what == kind::normal || why.what == kind::missing;
    }
    CHECK(failed == 4);
    CHECK(others == 2);
}

TEST_CASE("a process may monitor itself, which tells nobody")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            monitor_handle own = co_await vk::monitor(vk::self());
            co_await vk::sleep_for(1ms);
            by.flag = !own.ended();
        }
    };
    seen by;
    fd_program<seen> what(watcher::run, by);
    run_process(what);
    CHECK(by.flag);
}

TEST_CASE("what is told after a monitor is gone reaches nobody")
{
    // The second monitor lies where the first did, and is of a process that lives on.
    struct watcher {
        static task<> watch(process_id whom)
        {
            monitor_handle one = co_await vk::monitor(whom);
            co_await vk::yield();
        }
        static task<> watch_again(process_id whom, seen* by)
        {
            monitor_handle one = co_await vk::monitor(whom);
            co_await vk::sleep_for(20ms);
            by->flag = !one.ended();
        }
        static task<> run(int, seen& by)
        {
            process_id lives = co_await vk::start_process(*by.other);
            process_id dies = co_await vk::start_process(*by.child);
            co_await watch(dies);
            co_await watch_again(lives, &by);
            exit_reason why = co_await vk::stop(lives, 1s);
            by.reasons.push_back(why);
        }
    };
    seen by;
    fd_program<seen> child(end_later, by);
    fd_program<seen> other(sleep_on, by);
    by.child = &child;
    by.other = &other;
    fd_program<seen> what(watcher::run, by);
    quiet hushed;
    run_process(what);
    CHECK(by.ended == 1);
    CHECK(by.flag);
    REQUIRE(by.reasons.size() == 1);
    CHECK(by.reasons[0].what == kind::cancelled);
}

TEST_CASE("a monitor that is moved goes on where it is")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            monitor_handle first = co_await vk::start_monitored(*by.child);
            std::optional<monitor_handle> moved(std::move(first));
            monitor_handle second = co_await vk::start_monitored(*by.other);
            second = std::move(*moved); // the other is not watched any more
            moved.reset();
            exit_reason why = co_await second.down();
            by.reasons.push_back(why);
        }
    };
    quiet hushed;
    seen by;
    fd_program<seen> child(fail_later, by);
    fd_program<seen> other(end_later, by);
    by.child = &child;
    by.other = &other;
    fd_program<seen> what(watcher::run, by);
    run_process(what);
    REQUIRE(by.reasons.size() == 1);
    CHECK(by.reasons[0].what == kind::failed);
}

TEST_CASE("waiting for an end can be cancelled, and the monitor goes on")
{
    struct watcher {
        static task<> wait(const monitor_handle* on, seen* by)
        {
            try {
                (void)co_await on->down();
            } catch (const vk::cancelled&) {
                by->flag = true;
            }
        }
        static task<> run(int, seen& by)
        {
            monitor_handle child = co_await vk::start_monitored(*by.child);
            vk::thread_handle waiting =
                vk::spawn(wait, static_cast<const monitor_handle*>(&child), &by);
            co_await vk::yield();
            waiting.cancel();
            co_await waiting.join();
            exit_reason why = co_await child.down();
            by.reasons.push_back(why);
        }
    };
    seen by;
    fd_program<seen> child(end_later, by);
    by.child = &child;
    fd_program<seen> what(watcher::run, by);
    run_process(what);
    CHECK(by.flag);
    REQUIRE(by.reasons.size() == 1);
    CHECK(by.reasons[0].what == kind::normal);
}

// --- room ------------------------------------------------------------------------------------------------

TEST_CASE("a kernel that has no room for another tie says so, and has it again when one is gone")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            process_id whom = vk::self();
            std::array<std::optional<monitor_handle>, 4> all;
            for (int round = 0; round < 1000; ++round) {
                for (auto& place : all) {
                    monitor_handle one = co_await vk::monitor(whom);
                    place = std::move(one);
                }
                try {
                    monitor_handle more = co_await vk::monitor(whom);
                } catch (const vk::error& e) {
                    by.error += e.code() == std::errc::resource_unavailable_try_again;
                }
                for (auto& place : all)
                    place.reset();
                // Told of what is gone, the kernel has room in the next batch.
                vk::process::current().spend_all();
                co_await vk::yield();
            }
        }
    };
    seen by;
    fd_program<seen> what(watcher::run, by);
    kernel_options options = kernel_options_here();
    options.ties_max = 4;
    kernel_here here(options);
    REQUIRE(here->start(what));
    here->run();
    CHECK(by.error == 1000);
}

TEST_CASE("ties of processes that ended are there for others")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            for (int round = 0; round < 300; ++round) {
                monitor_handle a = co_await vk::start_monitored(*by.child);
                monitor_handle b = co_await vk::start_monitored(*by.child);
                monitor_handle c = co_await vk::monitor(a.id());
                exit_reason why = co_await c.down();
                by.error += why.is_normal() ? 0 : 1;
                why = co_await b.down();
                by.error += why.is_normal() ? 0 : 1;
                ++by.ended;
            }
        }
    };
    struct yielding {
        static task<> run(int, seen& by)
        {
            ++by.started;
            vk::process::current().spend_all();
            co_await vk::yield();
            vk::process::current().spend_all();
            co_await vk::yield();
            vk::process::current().spend_all();
            co_await vk::yield();
        }
    };
    seen by;
    fd_program<seen> child(yielding::run, by);
    by.child = &child;
    fd_program<seen> what(watcher::run, by);
    kernel_options options = kernel_options_here();
    options.ties_max = 4;
    kernel_here here(options);
    REQUIRE(here->start(what));
    here->run();
    CHECK(by.ended == 300);
    CHECK(by.error == 0);
    CHECK(by.started == 600);
}

TEST_CASE("more news than a batch takes comes with the next ones")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            constexpr std::size_t count = 3 * vk::limits::batch_news_max;
            std::vector<monitor_handle> all;
            all.reserve(count);
            for (std::size_t at = 0; at < count; ++at) {
                monitor_handle one = co_await vk::monitor({1'000'000 + at, 5});
                all.push_back(std::move(one));
            }
            for (const monitor_handle& one : all) {
                exit_reason why = co_await one.down();
                by.ended += why.what == kind::missing;
            }
            by.flag = by.ended == static_cast<int>(count);
        }
    };
    seen by;
    fd_program<seen> what(watcher::run, by);
    run_process(what);
    CHECK(by.flag);
}

TEST_CASE("monitors are forgotten though the mailbox is full")
{
    struct watcher {
        static task<> run(int, seen& by)
        {
            co_await vk::sleep_for(2ms); // until who has started this was told
            {
                monitor_handle child = co_await vk::monitor(by.ids[0]);
                vk::process::current().spend_all();
                co_await vk::yield();
                while (!vk::process::current().shared().requests.full())
                    vk::process::current().shared().requests.leave({vk::request::verb::vacancy});
            }
            vk::process::current().spend_all();
            co_await vk::yield();
            by.flag = vk::process::current().shared().ties == 1;
            exit_reason why = co_await vk::stop(by.ids[0], 1s); // there is room for that
            by.reasons.push_back(why);
        }
    };
    struct starter {
        static task<> run(int, seen& by)
        {
            process_id child = co_await vk::start_process(*by.child);
            by.ids.push_back(child);
            (void)co_await vk::start_process(*by.other);
        }
    };
    quiet hushed;
    seen by;
    fd_program<seen> child(sleep_on, by);
    fd_program<seen> other(watcher::run, by);
    by.child = &child;
    by.other = &other;
    fd_program<seen> what(starter::run, by);
    kernel_options options = kernel_options_here();
    options.ties_max = 1;
    kernel_here here(options);
    REQUIRE(here->start(what));
    here->run();
    CHECK(by.flag);
    REQUIRE(by.reasons.size() == 1);
    CHECK(by.reasons[0].what == kind::cancelled);
}
