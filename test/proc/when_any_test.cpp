#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/base/os.hpp>
#include <vk/proc/channel.hpp>
#include <vk/proc/event.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/semaphore.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/when_any.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using vk::process;
using vk::run_local;
using vk::task;
using vk::when_any;

namespace {

task<int> number_after(std::chrono::nanoseconds span, int value, std::string& said)
{
    try {
        co_await vk::sleep_for(span);
    } catch (const vk::cancelled&) {
        said += "cancelled ";
        throw;
    }
    co_return value;
}

task<> fail_after(std::chrono::nanoseconds span, const char* why)
{
    co_await vk::sleep_for(span);
    throw std::runtime_error(why);
}

task<> mark(bool& done)
{
    done = true;
    co_return;
}

} // namespace

TEST_CASE("the first that is done wins, and the others are cancelled and have ended")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        std::string said;
        auto won = co_await when_any(number_after(1h, 1, said), number_after(1ms, 2, said),
                                     vk::sleep_for(1h));
        CHECK(won.first() == 1);
        CHECK(*won.get<1>() == 2);
        CHECK_FALSE(won.has<0>());
        CHECK_FALSE(won.has<2>());
        CHECK(said == "cancelled ");
        CHECK(process::current().threads() == 1);
        CHECK(heap.pages_used() == before);
    });
}

TEST_CASE("one that is decided before the others begin does not begin them")
{
    run_local([]() -> task<> {
        bool begun = false;
        auto won = co_await when_any(vk::event(true).wait(), mark(begun));
        CHECK(won.first() == 0);
        CHECK_FALSE(begun);
        CHECK_FALSE(won.has<1>());
    });
}

TEST_CASE("what was done in the same turn as the first is there as well")
{
    run_local([]() -> task<> {
        vk::semaphore units;
        vk::event over;
        struct both {
            static task<> run(vk::semaphore* to, vk::event* end)
            {
                co_await vk::yield();
                end->set();
                to->release(); // handed to who waits for it
            }
        };
        vk::thread_handle other = vk::spawn(both::run, &units, &over);
        auto won = co_await when_any(over.wait(), units.acquire());
        CHECK(won.first() == 0);
        CHECK(won.has<1>());
        CHECK(units.units() == 0);
        co_await other.join();
    });
}

TEST_CASE("a value that was promised to one that loses is not lost")
{
    run_local([]() -> task<> {
        vk::channel<int, 1> values;
        int received = 0;
        for (int i = 0; i < 100; ++i) {
            auto won = co_await when_any(values.receive(), vk::yield());
            CHECK_FALSE(won.has<0>());
            bool sent = co_await values.send(i);
            CHECK(sent);
            auto again = co_await when_any(vk::yield(), values.receive());
            if (again.has<0>() && !again.has<1>()) {
                auto left = co_await values.receive();
                received += *left;
            } else {
                received += **again.get<1>();
            }
        }
        CHECK(received == 99 * 100 / 2);
    });
}

TEST_CASE("one that fails is thrown, and the others have ended")
{
    run_local([]() -> task<> {
        std::string said;
        try {
            co_await when_any(number_after(1h, 1, said), fail_after(1ms, "failed"));
        } catch (const std::runtime_error& e) {
            said += e.what();
        }
        CHECK(said == "cancelled failed");
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE("one that fails on being cancelled is thrown, though another has won")
{
    run_local([]() -> task<> {
        struct worse {
            static task<> run()
            {
                try {
                    co_await vk::sleep_for(1h);
                } catch (const vk::cancelled&) {
                    throw std::runtime_error("cleaning up");
                }
            }
        };
        std::string said;
        try {
            co_await when_any(worse::run(), vk::sleep_for(1us));
        } catch (const std::runtime_error& e) {
            said = e.what();
        }
        CHECK(said == "cleaning up");
    });
}

TEST_CASE("who is cancelled while it awaits has cancelled all, and leaves when they have ended")
{
    run_local([]() -> task<> {
        struct caller {
            static task<> run(std::string* said)
            {
                try {
                    co_await when_any(number_after(1h, 1, *said), number_after(1h, 2, *said));
                } catch (const vk::cancelled&) {
                    *said += "caller";
                }
            }
        };
        std::string said;
        vk::thread_handle one = vk::spawn(caller::run, &said);
        co_await vk::sleep_for(1us);
        one.cancel();
        co_await one.join();
        CHECK(said == "cancelled cancelled caller");
    });
}

TEST_CASE("a deadline ends all, and is thrown")
{
    run_local([]() -> task<> {
        bool late = false;
        try {
            co_await vk::timeout(1ms, when_any(vk::sleep_for(1h), vk::sleep_for(2h)));
        } catch (const vk::timed_out&) {
            late = true;
        }
        CHECK(late);
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE(
    "who is cancelled when one is done has its result, and is cancelled in what it awaits next")
{
    run_local([]() -> task<> {
        struct caller {
            static task<> run(vk::channel<int, 1>* values, int* got, bool* was_cancelled)
            {
                auto won = co_await when_any(values->receive(), vk::sleep_for(1h));
                *got = won.has<0>() ? won.get<0>()->value_or(0) : 0;
                try {
                    co_await vk::sleep_for(1h);
                } catch (const vk::cancelled&) {
                    *was_cancelled = true;
                }
            }
        };
        vk::channel<int, 1> values;
        int got = 0;
        bool was_cancelled = false;
        vk::thread_handle one = vk::spawn(caller::run, &values, &got, &was_cancelled);
        co_await vk::sleep_for(1us);
        bool sent = co_await values.send(7);
        CHECK(sent);
        co_await vk::yield(); // it was received, and the other has not ended yet
        one.cancel();
        co_await one.join();
        CHECK(got == 7);
        CHECK(was_cancelled);
    });
}

TEST_CASE("a deadline that has passed when one is done leaves its result")
{
    run_local([]() -> task<> {
        struct caller {
            static task<> run(bool* has_won)
            {
                auto won =
                    co_await vk::timeout(2ms, when_any(vk::sleep_for(1ms), vk::sleep_for(1h)));
                *has_won = won.first() == 0 && won.has<0>() && !won.has<1>();
            }
        };
        bool has_won = false;
        vk::thread_handle one = vk::spawn(caller::run, &has_won);
        co_await vk::yield();
        co_await vk::yield();
        const auto both = vk::os::now() + 4'000'000;
        while (vk::os::now() < both) // both times pass before it runs again
            ;
        co_await one.join();
        CHECK(has_won);
    });
}
