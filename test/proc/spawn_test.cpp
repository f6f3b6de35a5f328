#include "proc/semaphore.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using vk::process;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::semaphore;

namespace {

task<> set(int* to, int value)
{
    *to = value;
    co_return;
}

task<> take_unique(std::unique_ptr<int> value, int* to)
{
    co_await vk::yield();
    *to = *value;
}

task<> take_text(std::string text, std::string* to)
{
    co_await vk::yield();
    *to = text;
}

task<> take_reference(std::reference_wrapper<int> to)
{
    co_await vk::yield();
    to.get() = 5;
}

task<> take_changeable(int& to, int value)
{
    co_await vk::yield();
    to = value;
}

task<> take_constant(const std::string& text, std::string* to)
{
    co_await vk::yield();
    *to = text;
}

task<> take_view(std::string_view text, std::string* to)
{
    co_await vk::yield();
    *to = text;
}

[[maybe_unused]] task<int> give_number()
{
    co_return 1;
}

struct accumulator {
    task<> add(int value)
    {
        co_await vk::yield();
        sum += value;
    }

    int sum = 0;
};

// What would dangle, and is no task<>, is refused.
using vk::spawnable;
static_assert(spawnable<decltype(set), int*, int>);
static_assert(!spawnable<decltype(take_changeable), int&, int>);
static_assert(spawnable<decltype(take_changeable), std::reference_wrapper<int>, int>);
static_assert(!spawnable<decltype(take_view), std::string_view, std::string*>);
static_assert(!spawnable<decltype(take_view), std::string_view&, std::string*>);
static_assert(spawnable<decltype(take_view), std::string, std::string*>);
static_assert(spawnable<decltype(take_constant), std::string&, std::string*>);
static_assert(!spawnable<decltype(set), std::span<int>, int>);
static_assert(!spawnable<decltype(give_number)>);
static_assert(!spawnable<decltype(set), int*>);

} // namespace

TEST_CASE("what a parameter refers to is a copy in the thread, unless the caller vouches for it")
{
    run_local([]() -> task<> {
        std::string constant;
        std::string viewed;
        int changed = 0;
        thread_handle a;
        thread_handle b;
        thread_handle c = spawn(take_changeable, std::ref(changed), 8);
        {
            std::string gone = "a text that is too long to lie in the string itself";
            a = spawn(take_constant, gone, &constant);
            b = spawn(take_view, gone, &viewed);
            gone.assign(gone.size(), '!');
        }
        co_await a.join();
        co_await b.join();
        co_await c.join();
        CHECK(constant == "a text that is too long to lie in the string itself");
        CHECK(viewed == constant);
        CHECK(changed == 8);
    });
}

TEST_CASE(
    "a lambda lives as long as its thread, with what it captures; a member function is called too")
{
    run_local([]() -> task<> {
        int sum = 0;
        thread_handle one;
        {
            auto owned = std::make_unique<int>(5);
            one = spawn(
                [&sum, kept = std::move(owned)](int times) -> task<> {
                    for (int i = 0; i < times; ++i) {
                        co_await vk::yield();
                        sum += *kept;
                    }
                },
                3);
        }
        co_await one.join();
        CHECK(sum == 15);
        accumulator total;
        thread_handle other = spawn(&accumulator::add, &total, 4);
        co_await other.join();
        CHECK(total.sum == 4);
    });
}

TEST_CASE("a spawned thread first runs when its spawner blocks or yields")
{
    run_local([]() -> task<> {
        int value = 0;
        thread_handle one = spawn(set, &value, 3);
        CHECK(value == 0);
        CHECK_FALSE(one.ended());
        co_await vk::yield();
        CHECK(value == 3);
        CHECK(one.ended());
    });
}

TEST_CASE("arguments are converted, copied or moved into the thread")
{
    run_local([]() -> task<> {
        int from_unique = 0;
        std::string text;
        int referred = 0;
        {
            std::string original = "a text that is too long to lie in the string itself";
            thread_handle a = spawn(take_unique, std::make_unique<int>(7), &from_unique);
            thread_handle b = spawn(take_text, original, &text);
            thread_handle c = spawn(take_reference, std::ref(referred));
            original.assign(original.size(), '!');
            co_await a.join();
            co_await b.join();
            co_await c.join();
        }
        CHECK(from_unique == 7);
        CHECK(text == "a text that is too long to lie in the string itself");
        CHECK(referred == 5);
    });
}

TEST_CASE("threads are numbered from 1, the main one")
{
    run_local([]() -> task<> {
        struct numbered {
            static task<> run(std::uint32_t* id)
            {
                *id = vk::thread::current().id();
                co_return;
            }
        };
        std::uint32_t first = 0;
        std::uint32_t second = 0;
        thread_handle a = spawn(numbered::run, &first);
        thread_handle b = spawn(numbered::run, &second);
        co_await b.join();
        CHECK(vk::thread::current().id() == 1);
        CHECK(first == 2);
        CHECK(second == 3);
    });
}

TEST_CASE("a thread that has ended gives its page back when its handle goes")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        int value = 0;
        {
            thread_handle one = spawn(set, &value, 1);
            CHECK(heap.pages_used() == before + 1);
            co_await one.join();
            CHECK(heap.pages_used() == before + 1);
        }
        CHECK(heap.pages_used() == before);
    });
}

TEST_CASE("a thread without a handle gives its page back when it ends")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        int value = 0;
        spawn(set, &value, 4).detach();
        CHECK(heap.pages_used() == before + 1);
        co_await vk::yield();
        CHECK(value == 4);
        CHECK(heap.pages_used() == before);
    });
}

TEST_CASE("a hundred thousand threads in turn leave the heap as it was, and the global heap alone")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        int value = 0;
        auto allocations = vk::test::allocations_now();
        for (int i = 0; i < 100'000; ++i) {
            thread_handle one = spawn(set, &value, i);
            co_await one.join();
        }
        bool alone = vk::test::allocations_now() == allocations;
        CHECK(alone);
        CHECK(value == 99'999);
        CHECK(heap.pages_used() == before);
        CHECK(heap.pages_high_water() <= before + 2);
    });
}

TEST_CASE("threads that end in any order leave the heap as it was")
{
    run_local([]() -> task<> {
        struct waiter {
            static task<> run(semaphore* on) { co_await on->take(); }
        };
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        std::vector<std::unique_ptr<semaphore>> gates;
        {
            std::vector<thread_handle> threads;
            for (int i = 0; i < 40; ++i) {
                gates.push_back(std::make_unique<semaphore>());
                threads.push_back(spawn(waiter::run, gates.back().get()));
            }
            co_await vk::yield();
            for (std::size_t i = 0; i < 40; ++i) {
                gates[i * 7 % 40]->give();
                co_await threads[i * 7 % 40].join();
            }
        }
        CHECK(heap.pages_used() == before);
    });
}

TEST_CASE("a heap without a page for a thread refuses it, and its spawner goes on")
{
    vk::test::quiet quiet;
    run_local({.heap_pages = 12}, []() -> task<> {
        struct waiter {
            static task<> run(semaphore* on) { co_await on->take(); }
        };
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        semaphore gate;
        std::size_t started = 0;
        {
            std::optional<thread_handle> threads[12];
            try {
                for (auto& one : threads) {
                    one.emplace(spawn(waiter::run, &gate));
                    ++started;
                }
                FAIL("more threads than pages");
            } catch (const vk::heap_exhausted& e) {
                CHECK(e.pages_needed() == 13);
            }
            CHECK(started == 12 - before);
            CHECK(heap.pages_used() == 12);
            gate.give(static_cast<int>(started));
            for (auto& one : threads)
                if (one)
                    co_await one->join();
        }
        CHECK(heap.pages_used() == before);
        CHECK(gate.count() == 0);
    });
}

namespace {

task<> large_frame(int* to)
{
    volatile char much[6 * 4096] = {};
    co_await vk::yield();
    *to = much[5] + 1;
}

} // namespace

TEST_CASE("a thread whose first frame does not fit is not started, and its page is given back")
{
    vk::test::quiet quiet;
    run_local({.heap_pages = 6}, []() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        int value = 0;
        CHECK_THROWS_AS(spawn(large_frame, &value), vk::heap_exhausted);
        CHECK(heap.pages_used() == before);
        co_await vk::yield();
        CHECK(value == 0);
    });
}
