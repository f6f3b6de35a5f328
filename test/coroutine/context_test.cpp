#include "coroutine/driver.hpp"
#include "support/catch.hpp"

#include <vk/coroutine/task.hpp>

#include <algorithm>
#include <cstdint>

using vk::task;
using vk::test::driver;
using vk::test::gate;

// The C++ stack stays flat: what the innermost coroutine sees of it depends on neither how many awaits came
// before it nor how many are around it.

namespace {

// What a leaf sees of the C++ stack.
struct extent {
    std::uintptr_t lowest = UINTPTR_MAX;
    std::uintptr_t highest = 0;

    void note(const void* frame) noexcept
    {
        auto at = reinterpret_cast<std::uintptr_t>(frame);
        lowest = std::min(lowest, at);
        highest = std::max(highest, at);
    }
    std::uintptr_t bytes() const noexcept { return highest - lowest; }
};

// A frame or two of the deepest call, in a build that checks everything.
constexpr std::uintptr_t slack = 16 * 1024;

task<> leaf(extent& seen)
{
    seen.note(__builtin_frame_address(0));
    co_return;
}

task<> call_leaf(extent& seen)
{
    co_await leaf(seen);
}

task<> sequence(extent& seen, int awaits)
{
    for (int i = 0; i < awaits; ++i)
        co_await leaf(seen);
}

task<> sequence_of_two(extent& seen, int awaits)
{
    for (int i = 0; i < awaits; ++i)
        co_await call_leaf(seen);
}

} // namespace

TEST_CASE("the stack is flat over 10 million awaits in sequence")
{
    driver here;
    extent seen;
    {
        task<> root = sequence(seen, 10'000'000);
        CHECK(here.run(root));
    }
    CHECK(seen.bytes() == 0);
    CHECK(here.clean());
}

TEST_CASE("the stack is flat over a million awaits of two levels")
{
    driver here;
    extent seen;
    {
        task<> root = sequence_of_two(seen, 1'000'000);
        CHECK(here.run(root));
    }
    CHECK(seen.bytes() == 0);
    CHECK(here.clean());
}

namespace {

task<> blocking_leaf(gate& at, extent& seen)
{
    seen.note(__builtin_frame_address(0));
    co_await at;
    seen.note(__builtin_frame_address(0));
}

task<> blocking_sequence(gate& at, extent& seen, int awaits)
{
    for (int i = 0; i < awaits; ++i)
        co_await blocking_leaf(at, seen);
}

} // namespace

TEST_CASE("the stack is flat over a million awaits that block")
{
    driver here;
    gate at(here);
    extent seen;
    {
        task<> root = blocking_sequence(at, seen, 1'000'000);
        here.run(root);
        while (at.waited_for())
            at.open();
        CHECK(root.frame().done());
    }
    CHECK(seen.bytes() <= slack);
    CHECK(here.clean());
}

namespace {

task<int> nest(int depth, extent& seen, gate* at)
{
    seen.note(__builtin_frame_address(0));
    if (depth == 0) {
        if (at)
            co_await *at;
        co_return 0;
    }
    int below = co_await nest(depth - 1, seen, at);
    seen.note(__builtin_frame_address(0));
    co_return below + 1;
}

constexpr int deep = 100'000;

} // namespace

TEST_CASE("tasks nested very deeply use a bounded part of the stack")
{
    driver here(32 * 1024);
    extent seen;
    {
        task<int> root = nest(deep, seen, nullptr);
        CHECK(here.run(root));
        CHECK(driver::result(root) == deep);
    }
    CHECK(seen.bytes() <= vk::limits::nesting_bytes_max + slack);
    CHECK(seen.bytes() > vk::limits::nesting_bytes_max / 2); // it was used, so the bound was met
    CHECK(here.clean());
}

TEST_CASE("tasks nested very deeply that block end on a flat stack")
{
    driver here(32 * 1024);
    gate at(here);
    extent seen;
    {
        task<int> root = nest(deep, seen, &at);
        CHECK_FALSE(here.run(root));
        CHECK(seen.bytes() <= vk::limits::nesting_bytes_max + slack);

        seen = {};
        at.open();
        CHECK(root.frame().done());
        CHECK(driver::result(root) == deep);
    }
    CHECK(seen.bytes() <= slack); // one after the other, from the trampoline
    CHECK(here.clean());
}

namespace {

// Goes down, blocks, comes up and goes down again, so that the trampoline starts tasks at all depths.
task<int> tree(int depth, extent& seen, gate& at)
{
    seen.note(__builtin_frame_address(0));
    if (depth == 0) {
        co_await at;
        co_return 1;
    }
    int left = co_await tree(depth - 1, seen, at);
    int right = co_await tree(depth - 1, seen, at);
    co_return left + right;
}

} // namespace

TEST_CASE("a tree of tasks whose leaves block visits each leaf once")
{
    driver here(256);
    gate at(here);
    extent seen;
    int opened = 0;
    {
        task<int> root = tree(12, seen, at);
        here.run(root);
        for (; at.waited_for(); ++opened)
            at.open();
        CHECK(root.frame().done());
        CHECK(driver::result(root) == 1 << 12);
    }
    CHECK(opened == 1 << 12);
    CHECK(seen.bytes() <= vk::limits::nesting_bytes_max + slack);
    CHECK(here.clean());
}

TEST_CASE("a context resumes what was left for it, once")
{
    driver here;
    extent seen;
    task<> a = leaf(seen);
    here.run(a);
    CHECK(a.frame().done());
    CHECK(seen.highest != 0);
    CHECK(&vk::context::current() == &here.running());
}
