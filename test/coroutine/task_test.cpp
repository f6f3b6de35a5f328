#include "coroutine/driver.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/coroutine/task.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using vk::task;
using vk::test::driver;
using vk::test::gate;
using vk::test::tracked;

static_assert(!std::is_copy_constructible_v<task<>>);
static_assert(std::is_nothrow_move_constructible_v<task<int>>);
static_assert(std::is_same_v<task<int&>::value_type, int&>);

namespace {

task<int> number(int value)
{
    co_return value;
}

task<int&> reference(int& to)
{
    co_return to;
}

task<std::unique_ptr<int>> move_only(int value)
{
    auto made = std::make_unique<int>(value);
    co_return made;
}

task<std::string> text(const char* value)
{
    co_return value; // converted
}

task<> mark(bool& done)
{
    done = true;
    co_return;
}

task<int> failing(const char* why)
{
    throw std::runtime_error(why);
    co_return 0;
}

task<> through_gate(gate& at, std::vector<int>& steps, int step)
{
    steps.push_back(step);
    co_await at;
    steps.push_back(step + 1);
}

} // namespace

// --- values -------------------------------------------------------------------------------------------

namespace {

task<> await_each_kind(bool& all)
{
    int a = co_await number(7);
    int target = 1;
    int& b = co_await reference(target);
    b = 8;
    std::unique_ptr<int> c = co_await move_only(9);
    std::string d = co_await text("ten");
    bool done = false;
    co_await mark(done);
    all = a == 7 && target == 8 && &b == &target && *c == 9 && d == "ten" && done;
}

} // namespace

TEST_CASE("a task hands over a value, a reference, a value that only moves, or nothing")
{
    driver here;
    {
        bool all = false;
        task<> root = await_each_kind(all);
        CHECK_FALSE(all);
        CHECK(here.run(root));
        driver::result(root);
        CHECK(all);
    }
    CHECK(here.clean());
}

namespace {

task<tracked> make_tracked(tracked::counts& count)
{
    tracked made(count, 5);
    co_return std::move(made);
}

task<> take_tracked(tracked::counts& count, int& value)
{
    tracked taken = co_await make_tracked(count);
    value = taken.value;
}

} // namespace

TEST_CASE("a value is moved out of its task, never copied, and each instance is destroyed once")
{
    driver here;
    tracked::counts count;
    int value = 0;
    {
        task<> root = take_tracked(count, value);
        here.run(root);
    }
    CHECK(value == 5);
    CHECK(count.made == 1);
    CHECK(count.copied == 0);
    CHECK(count.moved == 2); // into the promise, and out of it
    CHECK(count.live() == 0);
    CHECK(here.clean());
}

TEST_CASE("a value that nobody takes is destroyed with its task")
{
    driver here;
    tracked::counts count;
    {
        task<tracked> root = make_tracked(count);
        CHECK(here.run(root));
        CHECK(count.live() == 1);
    }
    CHECK(count.live() == 0);
    CHECK(here.clean());
}

// --- laziness ------------------------------------------------------------------------------------------

TEST_CASE("a task does nothing until it is awaited")
{
    driver here;
    {
        bool done = false;
        task<> root = mark(done);
        CHECK_FALSE(done);
        CHECK_FALSE(root.frame().done());
        CHECK(here.run(root));
        CHECK(done);
    }
    CHECK(here.clean());
}

namespace {

task<> hold(tracked, bool& ran)
{
    ran = true;
    co_return;
}

} // namespace

TEST_CASE("a task that is never awaited is destroyed without having run, its parameters with it")
{
    driver here;
    tracked::counts count;
    bool ran = false;
    {
        task<> never = hold(tracked(count), ran);
        CHECK(count.live() == 1);
    }
    CHECK(count.live() == 0);
    CHECK_FALSE(ran);
    CHECK(here.clean());
}

TEST_CASE("a task that moved leaves an empty one behind")
{
    driver here;
    {
        bool done = false;
        task<> a = mark(done);
        task<> b = std::move(a);
        CHECK_FALSE(a.frame()); // NOLINT(bugprone-use-after-move): that is what is tested
        CHECK(b.frame());
        task<> c;
        CHECK_FALSE(c.frame());
        c = std::move(b);
        CHECK(here.run(c));
        CHECK(done);
    }
    CHECK(here.clean());
}

// --- blocking ------------------------------------------------------------------------------------------

namespace {

task<int> wait_then(gate& at, int value)
{
    co_await at;
    co_return value;
}

task<int> middle(gate& at, int value)
{
    int inner = co_await wait_then(at, value);
    co_return inner + 1;
}

task<> outer(gate& at, int& result)
{
    int first = co_await middle(at, 10);
    result = first;
    int second = co_await middle(at, 20);
    result = second;
}

} // namespace

TEST_CASE("nested tasks that block resume their callers when they end, not before")
{
    driver here;
    gate at(here);
    int result = 0;
    {
        task<> root = outer(at, result);
        CHECK_FALSE(here.run(root));
        CHECK(at.waited_for());
        CHECK(result == 0);
        at.open();
        CHECK(result == 11);
        CHECK_FALSE(root.frame().done());
        CHECK(at.waited_for());
        at.open();
        CHECK(result == 21);
        CHECK(root.frame().done());
    }
    CHECK(here.clean());
}

namespace {

task<> stepper(gate& at, std::vector<int>& steps)
{
    steps.push_back(0);
    co_await through_gate(at, steps, 1);
    steps.push_back(3);
    co_await through_gate(at, steps, 4);
    steps.push_back(6);
}

} // namespace

TEST_CASE("what follows an await runs after what was awaited")
{
    driver here;
    gate at(here);
    std::vector<int> steps;
    {
        task<> root = stepper(at, steps);
        here.run(root);
        CHECK(steps == std::vector<int>{0, 1});
        at.open();
        CHECK(steps == std::vector<int>{0, 1, 2, 3, 4});
        at.open();
        CHECK(steps == std::vector<int>{0, 1, 2, 3, 4, 5, 6});
    }
    CHECK(here.clean());
}

namespace {

task<> hold_across(gate& at, tracked kept)
{
    tracked own(*kept.count);
    co_await at;
}

task<> hold_and_await(gate& at, tracked::counts& count)
{
    tracked own(count);
    co_await hold_across(at, tracked(count));
}

} // namespace

TEST_CASE("a blocked task that is destroyed destroys all it holds, down to the innermost")
{
    driver here;
    gate at(here);
    tracked::counts count;
    {
        task<> root = hold_and_await(at, count);
        CHECK_FALSE(here.run(root));
        CHECK(count.live() > 0);
    }
    CHECK(count.live() == 0);
    CHECK(here.clean());
}

// --- exceptions ----------------------------------------------------------------------------------------

namespace {

task<int> pass(int levels, gate* at)
{
    if (levels == 0) {
        if (at)
            co_await *at;
        co_return co_await failing("deep");
    }
    int value = co_await pass(levels - 1, at);
    co_return value;
}

task<> catch_it(int levels, gate* at, tracked::counts& count, std::string& what)
{
    tracked own(count);
    try {
        int value = co_await pass(levels, at);
        what = "returned " + std::to_string(value);
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
}

} // namespace

TEST_CASE("an exception passes through the levels between who throws and who catches")
{
    int levels = GENERATE(0, 1, 2, 50);
    driver here;
    tracked::counts count;
    std::string what;
    {
        task<> root = catch_it(levels, nullptr, count, what);
        CHECK(here.run(root));
        driver::result(root);
    }
    CHECK(what == "deep");
    CHECK(count.live() == 0);
    CHECK(here.clean());
}

TEST_CASE("an exception passes through levels that were blocked")
{
    int levels = GENERATE(0, 1, 2, 50);
    driver here;
    gate at(here);
    tracked::counts count;
    std::string what;
    {
        task<> root = catch_it(levels, &at, count, what);
        CHECK_FALSE(here.run(root));
        CHECK(what.empty());
        at.open();
        CHECK(root.frame().done());
    }
    CHECK(what == "deep");
    CHECK(here.clean());
}

namespace {

task<> fail_at_once()
{
    throw std::runtime_error("at once");
    co_return;
}

task<int&> fail_reference()
{
    throw std::runtime_error("no reference");
    co_return *static_cast<int*>(nullptr);
}

} // namespace

TEST_CASE("an exception that nobody catches is the root's result")
{
    driver here;
    {
        task<int> root = pass(3, nullptr);
        CHECK(here.run(root));
        CHECK_THROWS_WITH(driver::result(root), "deep");
    }
    {
        task<int&> root = fail_reference();
        CHECK(here.run(root));
        CHECK_THROWS_WITH(driver::result(root), "no reference");
    }
    {
        task<> root = fail_at_once();
        CHECK(here.run(root));
        std::exception_ptr taken = root.frame().promise().take_failure();
        CHECK(taken);
        CHECK_FALSE(root.frame().promise().take_failure()); // it was handed over
    }
    CHECK(here.clean());
}

namespace {

task<> await_in_loop(int& caught)
{
    for (int i = 0; i < 1000; ++i) {
        try {
            int value = co_await failing("again");
            caught -= value;
        } catch (const std::runtime_error&) {
            ++caught;
        }
    }
}

} // namespace

TEST_CASE("a task that failed leaves nothing behind, however often")
{
    driver here;
    int caught = 0;
    {
        task<> root = await_in_loop(caught);
        CHECK(here.run(root));
    }
    CHECK(caught == 1000);
    CHECK(here.clean());
}

namespace {

struct throws_when_moved {
    throws_when_moved() = default;
    throws_when_moved(throws_when_moved&&) { throw std::runtime_error("moved"); }
};

task<throws_when_moved> return_awkwardly()
{
    co_return throws_when_moved();
}

} // namespace

TEST_CASE("an exception on the way into the promise is the task's, and no value is destroyed")
{
    driver here;
    {
        task<throws_when_moved> root = return_awkwardly();
        CHECK(here.run(root));
        CHECK_THROWS_WITH(driver::result(root), "moved");
    }
    CHECK(here.clean());
}

namespace {

struct throws_when_destroyed {
    ~throws_when_destroyed() noexcept(false) { throw std::runtime_error("destroyed"); }
};

task<tracked> return_then_throw(tracked::counts& count)
{
    throws_when_destroyed last;
    co_return tracked(count);
}

} // namespace

TEST_CASE("an exception on the way out replaces the value, which is destroyed once")
{
    driver here;
    tracked::counts count;
    {
        task<tracked> root = return_then_throw(count);
        CHECK(here.run(root));
        CHECK_THROWS_WITH(driver::result(root), "destroyed");
    }
    CHECK(count.live() == 0);
    CHECK(here.clean());
}

// --- frames --------------------------------------------------------------------------------------------

namespace {

// Not inlined, or a compiler may leave the allocation out.
[[gnu::noinline]] task<const void*> where_is_frame()
{
    volatile int in_frame = 0;
    co_await std::suspend_never();
    co_return const_cast<const int*>(&in_frame);
}

task<> many_calls(int times, int& sum)
{
    for (int i = 0; i < times; ++i) {
        int value = co_await number(1);
        sum += value;
    }
}

} // namespace

TEST_CASE("a frame lies in the heap")
{
    driver here;
    task<const void*> root = where_is_frame();
    CHECK(here.holds(root.frame().address()));
    CHECK(here.run(root));
}

TEST_CASE("awaiting tasks never goes to the global heap, blocked or not")
{
    driver here;
    gate at(here);
    int sum = 0;
    int result = 0;
    auto before = vk::test::allocations_now();
    {
        task<> calls = many_calls(10'000, sum);
        here.run(calls);
        task<> blocked = outer(at, result);
        here.run(blocked);
        at.open();
        at.open();
    }
    auto after = vk::test::allocations_now();
    CHECK(after == before);
    CHECK(sum == 10'000);
    CHECK(result == 21);
    CHECK(here.clean());
}

TEST_CASE("the counter of global allocations counts")
{
    auto before = vk::test::allocations_now();
    ::operator delete(::operator new(16)); // no expression, which may be left out
    auto after = vk::test::allocations_now();
    CHECK(after.made == before.made + 1);
    CHECK(after.freed == before.freed + 1);
}

namespace {

[[gnu::noinline]] task<> too_large(gate& at, bool& ran)
{
    volatile char much[64 * 1024] = {}; // kept in the frame, across what may suspend
    co_await at;
    ran = much[0] == 0;
}

[[gnu::noinline]] task<> survive_exhaustion(gate& at, bool& ran, bool& caught)
{
    try {
        co_await too_large(at, ran);
    } catch (const vk::heap_exhausted& e) {
        caught = e.pages_needed() >= 17;
    }
    int after = co_await number(1); // smaller ones are served as before
    caught = caught && after == 1;
}

} // namespace

TEST_CASE("a frame for which the heap has no room raises heap_exhausted in who called")
{
    vk::test::quiet quiet;
    driver here(8);
    gate at(here);
    bool ran = false;
    bool caught = false;
    {
        task<> root = survive_exhaustion(at, ran, caught);
        CHECK(here.run(root));
    }
    CHECK(caught);
    CHECK_FALSE(ran);
    CHECK(here.clean());
}

namespace {

task<int> endless(int depth)
{
    if (depth < 0)
        co_return 0;
    int below = co_await endless(depth + 1);
    co_return below;
}

task<> recurse_until_full(std::size_t& pages)
{
    try {
        int depth = co_await endless(0);
        pages = static_cast<std::size_t>(depth);
    } catch (const vk::heap_exhausted& e) {
        pages = e.pages_needed();
    }
}

} // namespace

TEST_CASE("a recursion without end runs out of heap, not of stack, and unwinds")
{
    vk::test::quiet quiet;
    driver here(2000);
    std::size_t pages = 0;
    {
        task<> root = recurse_until_full(pages);
        CHECK(here.run(root));
    }
    CHECK(pages == 2001);
    CHECK(here.clean());
}
