#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/event.hpp>
#include <vk/proc/future.hpp>
#include <vk/proc/mutex.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using vk::event;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::timeout;

namespace {

task<> doze(std::chrono::milliseconds span, std::string& said)
{
    try {
        co_await vk::sleep_for(span);
        said += "slept ";
    } catch (const vk::timed_out&) {
        said += "late ";
        throw;
    }
}

// Whether `what` is ended by its deadline.
template <class What>
task<bool> is_late(What&& what)
{
    try {
        co_await what; // as it is, since gcc would move what is passed on
    } catch (const vk::timed_out&) {
        co_return true;
    }
    co_return false;
}

task<int> seven()
{
    co_await vk::yield();
    co_return 7;
}

} // namespace

TEST_CASE("what takes longer than its timeout is ended by it, and what does not has its result")
{
    run_local([]() -> task<> {
        std::string said;
        auto before = vk::clock::now();
        bool late = co_await is_late(timeout(5ms, doze(1h, said)));
        CHECK(late);
        CHECK(vk::clock::now() - before >= 5ms);
        CHECK(vk::clock::now() - before < 10s);
        late = co_await is_late(timeout(1h, doze(1ms, said)));
        CHECK_FALSE(late);
        CHECK(said == "late slept ");
        int got = co_await timeout(1h, seven());
        CHECK(got == 7);
    });
}

TEST_CASE("a timeout is for an operation as well as for a task, be it one that cannot be moved")
{
    run_local([]() -> task<> {
        event never;
        bool late = co_await is_late(timeout(1ms, never.wait()));
        CHECK(late);
        late = co_await is_late(timeout(1ms, vk::sleep_for(1h)));
        CHECK(late);
        late = co_await is_late(timeout(1h, vk::sleep_for(1ms)));
        CHECK_FALSE(late);
        vk::future<int, int> nobody;
        late = false;
        try {
            (void)co_await timeout(1ms, nobody.request(1));
        } catch (const vk::timed_out&) {
            late = true;
        }
        CHECK(late);
    });
}

TEST_CASE("of a timeout within another the earlier one holds, and after it the other")
{
    struct nested {
        static task<> run(std::string& said)
        {
            bool late = co_await is_late(timeout(2ms, doze(1h, said)));
            CHECK(late);
            late = co_await is_late(timeout(1h, doze(1h, said)));
            CHECK(late);
            co_await vk::sleep_for(1ms); // it is over
        }
    };
    run_local([]() -> task<> {
        std::string said;
        bool late = co_await is_late(timeout(10ms, nested::run(said)));
        CHECK(late);
        CHECK(said == "late late ");
        CHECK(vk::thread::current().deadline() == vk::never);
        co_await doze(1ms, said);
        CHECK(said == "late late slept ");
    });
}

TEST_CASE("a thread that is spawned within a timeout has its deadline, and one that is spawned "
          "after it has not")
{
    struct children {
        static task<> doze(std::chrono::milliseconds span, std::string* said)
        {
            co_await ::doze(span, *said);
        }
        static task<> start(thread_handle* one, std::string* said)
        {
            *one = spawn(doze, 1000ms, said);
            co_return;
        }
    };
    run_local([]() -> task<> {
        std::string said;
        thread_handle one = spawn(children::doze, 0ms, &said);
        co_await one.join();
        co_await timeout(3ms, children::start(&one, &said));
        bool late = co_await is_late(one.join());
        CHECK(late);
        CHECK(said == "slept late ");
        one = spawn(children::doze, 5ms, &said);
        co_await one.join();
        CHECK(said == "slept late slept ");
    });
}

TEST_CASE("what has come in time is not ended by a deadline that passes before it is looked at")
{
    struct setter {
        static task<> run(event* one)
        {
            one->set();
            auto until = vk::clock::now() + 4ms;
            while (vk::clock::now() < until) {}
            co_return;
        }
    };
    run_local([]() -> task<> {
        event one;
        thread_handle setting = spawn(setter::run, &one);
        bool late = co_await is_late(timeout(2ms, one.wait()));
        CHECK_FALSE(late);
        co_await setting.join();
    });
}

TEST_CASE("a deadline is over however its operation ended")
{
    struct sleeper {
        static task<> run(bool* restored)
        {
            try {
                co_await timeout(1h, doze_on());
            } catch (const vk::cancelled&) {
                *restored = vk::thread::current().deadline() == vk::never;
            }
        }
        static task<> doze_on() { co_await vk::sleep_for(1h); }
    };
    run_local([]() -> task<> {
        bool restored = false;
        thread_handle one = spawn(sleeper::run, &restored);
        co_await vk::yield();
        one.cancel();
        co_await one.join();
        CHECK(restored);

        vk::mutex alone;
        vk::mutex::guard held = alone.try_lock();
        bool refused = false;
        try {
            (void)co_await timeout(1h, alone.lock());
        } catch (const vk::error&) {
            refused = true;
        }
        CHECK(refused);
        CHECK(vk::thread::current().deadline() == vk::never);
    });
}
