#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/event.hpp>
#include <vk/proc/future.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/when_all.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

using namespace std::chrono_literals;
using vk::process;
using vk::run_local;
using vk::task;
using vk::when_all;

namespace {

task<std::unique_ptr<int>> number(int value, std::string& said)
{
    said += "begins ";
    co_await vk::yield();
    said += "ends ";
    co_return std::make_unique<int>(value);
}

task<> fail_after(std::chrono::nanoseconds span, const char* why)
{
    co_await vk::sleep_for(span);
    throw std::runtime_error(why);
}

task<> say_when_cancelled(std::string& said)
{
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        said += "cancelled ";
        throw;
    }
}

} // namespace

TEST_CASE("all run at once, and what they give comes in their order")
{
    run_local([]() -> task<> {
        std::string said;
        auto both = co_await when_all(number(1, said), number(2, said));
        CHECK(*std::get<0>(both) == 1);
        CHECK(*std::get<1>(both) == 2);
        CHECK(said == "begins begins ends ends ");
    });
}

TEST_CASE(
    "what gives nothing or a reference has its place, and operations are taken as well as tasks")
{
    run_local([]() -> task<> {
        struct refers {
            static task<int&> run(int& to) { co_return to; }
        };
        int one = 1;
        vk::event set(true);
        auto all = co_await when_all(refers::run(one), set.wait(), vk::sleep_for(1us));
        static_assert(std::is_same_v<decltype(all), std::tuple<std::reference_wrapper<int>,
                                                               std::monostate, std::monostate>>);
        CHECK(&std::get<0>(all).get() == &one);
    });
}

TEST_CASE("an operation that cannot be moved is awaited where it stands")
{
    run_local([]() -> task<> {
        struct doubling {
            static task<> run(vk::future<int, int>* of)
            {
                vk::responder from(*of);
                for (int i = 0; i < 2; ++i) {
                    auto one = co_await from.listen();
                    one.respond(2 * one.request());
                }
            }
        };
        vk::future<int, int> asked;
        static_assert(!std::is_move_constructible_v<decltype(asked.request(1))>);
        vk::thread_handle answering = vk::spawn(doubling::run, &asked);
        auto both = co_await when_all(asked.request(4), asked.request(5));
        CHECK(std::get<0>(both) == 8);
        CHECK(std::get<1>(both) == 10);
        co_await answering.join();
    });
}

TEST_CASE("the first that fails has the others cancelled, and is thrown when they have ended")
{
    run_local([]() -> task<> {
        std::string said;
        try {
            co_await when_all(say_when_cancelled(said), fail_after(1ms, "one"));
        } catch (const std::runtime_error& e) {
            said += e.what();
        }
        CHECK(said == "cancelled one");
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE("a deadline ends all")
{
    run_local([]() -> task<> {
        bool late = false;
        try {
            co_await vk::timeout(1ms, when_all(vk::sleep_for(1h), vk::sleep_for(1h)));
        } catch (const vk::timed_out&) {
            late = true;
        }
        CHECK(late);
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE("without pages for all none is left running")
{
    vk::test::quiet quiet;
    run_local({.heap_pages = 6}, []() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        bool refused = false;
        try {
            co_await when_all(vk::sleep_for(1h), vk::sleep_for(1h), vk::sleep_for(1h),
                              vk::sleep_for(1h), vk::sleep_for(1h), vk::sleep_for(1h));
        } catch (const vk::heap_exhausted&) {
            refused = true;
        }
        CHECK(refused);
        CHECK(heap.pages_used() == before);
    });
}

TEST_CASE("awaiting all leaves the global heap alone, and the process's as it was")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        auto allocations = vk::test::allocations_now();
        for (int i = 0; i < 1000; ++i)
            co_await when_all(vk::yield(), vk::yield());
        bool alone = vk::test::allocations_now() == allocations;
        CHECK(alone);
        CHECK(heap.pages_used() == before);
    });
}
