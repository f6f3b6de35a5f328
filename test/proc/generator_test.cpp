#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/coroutine/generator.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using vk::generator;
using vk::run_local;
using vk::task;

static_assert(!std::is_copy_constructible_v<generator<int>>);
static_assert(std::is_nothrow_move_constructible_v<generator<int>>);

namespace {

generator<int> numbers(int count, bool block, std::string* said)
{
    for (int i = 0; i < count; ++i) {
        if (block)
            co_await vk::yield();
        if (said)
            *said += "makes ";
        co_yield i;
    }
}

generator<int> evens(generator<int> all)
{
    while (auto* number = co_await all.next())
        if (*number % 2 == 0)
            co_yield *number;
}

generator<std::unique_ptr<int>> owners(int count)
{
    for (int i = 0; i < count; ++i)
        co_yield std::make_unique<int>(i);
}

generator<std::string> failing()
{
    co_yield "one";
    throw std::runtime_error("no more");
}

generator<int> nothing()
{
    co_return;
}

struct counts_itself {
    explicit counts_itself(int* in) : live(in) { ++*live; }
    counts_itself(const counts_itself&) = delete;
    counts_itself& operator=(const counts_itself&) = delete;
    ~counts_itself() { --*live; }
    int* live;
};

generator<int> holding(int* live)
{
    counts_itself here(live);
    for (int i = 0;; ++i)
        co_yield i;
}

generator<int> sleepy()
{
    co_await vk::sleep_for(1h);
    co_yield 1;
}

} // namespace

TEST_CASE("a generator gives its elements in order, be it one that blocks in between")
{
    for (bool block : {false, true}) {
        run_local(
            [](bool blocks) -> task<> {
                int sum = 0;
                generator<int> all = numbers(1000, blocks, nullptr);
                while (auto* number = co_await all.next())
                    sum = sum * 2 % 1009 + *number;
                int expected = 0;
                for (int i = 0; i < 1000; ++i)
                    expected = expected * 2 % 1009 + i;
                CHECK(sum == expected);
                int* after = co_await all.next();
                CHECK(after == nullptr);
            },
            block);
    }
}

TEST_CASE("a generator is never ahead of its reader")
{
    run_local([]() -> task<> {
        std::string said;
        generator<int> all = numbers(3, true, &said);
        CHECK(said.empty());
        for (int i = 0; i < 3; ++i) {
            (void)co_await all.next();
            said += "takes ";
        }
        CHECK(said == "makes takes makes takes makes takes ");
    });
}

TEST_CASE("generators read generators, as deep as they nest")
{
    run_local([]() -> task<> {
        int count = 0;
        generator<int> some = evens(evens(numbers(10, true, nullptr)));
        while (auto* number = co_await some.next())
            count += *number;
        CHECK(count == 20);
        std::optional<generator<int>> deep(numbers(5, true, nullptr));
        for (int i = 0; i < 100; ++i)
            deep.emplace(evens(std::move(*deep)));
        int elements = 0;
        while (co_await deep->next())
            ++elements;
        CHECK(elements == 3);
    });
}

TEST_CASE("elements are handed over, changed and moved from where they lie")
{
    run_local([]() -> task<> {
        generator<std::unique_ptr<int>> all = owners(3);
        int sum = 0;
        while (auto* one = co_await all.next()) {
            std::unique_ptr<int> mine = std::move(*one);
            sum += *mine;
        }
        CHECK(sum == 3);
        struct source {
            static generator<int> run(int& to)
            {
                co_yield to;
                co_yield std::as_const(to); // a copy
            }
        };
        int number = 5;
        generator<int> same = source::run(number);
        int* first = co_await same.next();
        CHECK(first == &number);
        int* second = co_await same.next();
        CHECK(second != &number);
        CHECK(*second == 5);
    });
}

TEST_CASE("what escapes a generator comes to its reader, once, and is its end")
{
    run_local([]() -> task<> {
        generator<std::string> some = failing();
        std::string* first = co_await some.next();
        CHECK(*first == "one");
        std::string why;
        try {
            (void)co_await some.next();
        } catch (const std::runtime_error& e) {
            why = e.what();
        }
        CHECK(why == "no more");
        std::string* after = co_await some.next();
        CHECK(after == nullptr);
        generator<int> none = nothing();
        int* never = co_await none.next();
        CHECK(never == nullptr);
    });
}

TEST_CASE("a generator that is not read to its end gives back what it holds")
{
    run_local([]() -> task<> {
        int live = 0;
        {
            generator<int> all = holding(&live);
            for (int i = 0; i < 3; ++i)
                (void)co_await all.next();
            CHECK(live == 1);
        }
        CHECK(live == 0);
    });
}

TEST_CASE("the wait of a generator is that of its reader: a deadline and a cancellation end it")
{
    run_local([]() -> task<> {
        generator<int> slow = sleepy();
        bool late = false;
        try {
            (void)co_await vk::timeout(1ms, slow.next());
        } catch (const vk::timed_out&) {
            late = true;
        }
        CHECK(late);
        int* after = co_await slow.next();
        CHECK(after == nullptr);
    });
}

TEST_CASE("elements cost no memory of the global heap")
{
    run_local([]() -> task<> {
        auto allocations = vk::test::allocations_now();
        generator<int> all = numbers(10'000, true, nullptr);
        while (co_await all.next()) {}
        bool alone = vk::test::allocations_now() == allocations;
        CHECK(alone);
    });
}
