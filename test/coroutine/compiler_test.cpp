#include "coroutine/driver.hpp"
#include "support/catch.hpp"

#include <vk/coroutine/task.hpp>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using vk::task;
using vk::test::driver;
using vk::test::gate;
using vk::test::tracked;

// Canaries: compilers got coroutines wrong in known ways, gcc before 13 above all. Each test here is a form
// that this library or its users write; when one fails, the compiler is at fault, and the form is to be
// avoided or worked around. Each runs twice: without a suspension and across one.

namespace {

// Does not block where the gate is null.
task<> maybe(gate* at)
{
    if (at)
        co_await *at;
}

// Runs what `make` returns to its end, through as many suspensions as it has.
template <class Make>
void run_through(bool blocking, Make make)
{
    driver here;
    gate at(here);
    {
        auto root = make(blocking ? &at : nullptr);
        here.run(root);
        CHECK(at.waited_for() == blocking);
        while (at.waited_for())
            at.open();
        REQUIRE(root.frame().done());
        driver::result(root);
    }
    CHECK(here.clean());
}

} // namespace

// --- parameters ----------------------------------------------------------------------------------------

namespace {

task<> takes_value(gate* at, tracked value, int& seen)
{
    co_await maybe(at);
    seen = value.value;
}

task<> takes_moved(gate* at, tracked&& value, int& seen)
{
    tracked own = std::move(value);
    co_await maybe(at);
    seen = own.value;
}

} // namespace

TEST_CASE("a parameter is moved into the frame once and destroyed once")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int seen = 0;
    run_through(blocking, [&](gate* at) { return takes_value(at, tracked(count, 3), seen); });
    CHECK(seen == 3);
    CHECK(count.made == 1);
    CHECK(count.copied == 0);
    CHECK(count.moved == 1);
    CHECK(count.live() == 0);
}

TEST_CASE("a parameter that is an lvalue is copied once")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int seen = 0;
    {
        tracked mine(count, 4);
        run_through(blocking, [&](gate* at) { return takes_value(at, mine, seen); });
        CHECK(mine.value == 4);
    }
    CHECK(seen == 4);
    CHECK(count.copied == 1);
    CHECK(count.live() == 0);
}

namespace {

task<> awaits_moved(gate* at, tracked::counts& count, int& seen)
{
    co_await takes_moved(at, tracked(count, 5), seen);
}

} // namespace

TEST_CASE("a reference to a temporary is good until the await that it is part of has ended")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int seen = 0;
    run_through(blocking, [&](gate* at) { return awaits_moved(at, count, seen); });
    CHECK(seen == 5);
    CHECK(count.made == 1);
    CHECK(count.live() == 0);
}

// --- temporaries in co_await expressions ---------------------------------------------------------------

namespace {

task<int> reads(gate* at, const tracked& value)
{
    co_await maybe(at);
    co_return value.count ? value.value : -1;
}

task<> passes_temporary(gate* at, tracked::counts& count, int& seen)
{
    int got = co_await reads(at, tracked(count, 6));
    seen = got;
    seen += 100 * count.live(); // the temporary is gone by now
}

task<> passes_two(gate* at, tracked::counts& count, int& seen)
{
    int got = co_await reads(at, tracked(tracked(count, 7)));
    int more = co_await reads(at, tracked(count, 1));
    seen = got + more;
}

task<> passes_string(gate* at, std::string& seen)
{
    struct helper {
        static task<std::string> twice(gate* at, const std::string& text)
        {
            co_await maybe(at);
            co_return text + text;
        }
    };
    std::string got =
        co_await helper::twice(at, std::string("long enough to leave the string's own room"));
    seen = got;
}

task<int> fails(gate* at, const tracked&)
{
    co_await maybe(at);
    throw std::runtime_error("failed");
    co_return 0;
}

task<> passes_temporary_to_failure(gate* at, tracked::counts& count, bool& caught)
{
    try {
        int got = co_await fails(at, tracked(count));
        caught = got < 0;
    } catch (const std::runtime_error&) {
        caught = count.live() == 0;
    }
}

} // namespace

TEST_CASE("a temporary in a co_await expression lives through it and is destroyed once")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int seen = 0;
    run_through(blocking, [&](gate* at) { return passes_temporary(at, count, seen); });
    CHECK(seen == 6);
    CHECK(count.made == 1);
    CHECK(count.live() == 0);

    run_through(blocking, [&](gate* at) { return passes_two(at, count, seen); });
    CHECK(seen == 8);
    CHECK(count.live() == 0);
}

TEST_CASE("a temporary string in a co_await expression keeps its bytes")
{
    bool blocking = GENERATE(false, true);
    std::string seen;
    run_through(blocking, [&](gate* at) { return passes_string(at, seen); });
    CHECK(seen == "long enough to leave the string's own room"
                  "long enough to leave the string's own room");
}

TEST_CASE("a temporary in a co_await expression that throws is destroyed once")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    bool caught = false;
    run_through(blocking, [&](gate* at) { return passes_temporary_to_failure(at, count, caught); });
    CHECK(caught);
    CHECK(count.live() == 0);
}

// --- awaiters with a destructor ------------------------------------------------------------------------

namespace {

// As the awaiter of socket::print(): it owns something, and cannot be moved.
class owning_awaiter {
public:
    owning_awaiter(gate* at, tracked::counts& count) : at_(at), owned_(count) {}
    owning_awaiter(const owning_awaiter&) = delete;
    owning_awaiter& operator=(const owning_awaiter&) = delete;

    bool await_ready() const noexcept { return at_ == nullptr; }
    void await_suspend(std::coroutine_handle<> caller) noexcept { at_->await_suspend(caller); }
    int await_resume() const noexcept { return owned_.count->live(); }

private:
    gate* at_;
    tracked owned_;
};

owning_awaiter make_owning(gate* at, tracked::counts& count)
{
    return {at, count};
}

task<> awaits_owning(gate* at, tracked::counts& count, int& during, int& after)
{
    int live = co_await make_owning(at, count);
    during = live;
    after = count.live();
    co_await make_owning(at, count); // as a statement of its own
    after += count.live();
}

} // namespace

TEST_CASE("an awaiter that owns something is destroyed once, at the end of its expression")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int during = -1;
    int after = -1;
    run_through(blocking, [&](gate* at) { return awaits_owning(at, count, during, after); });
    CHECK(during == 1);
    CHECK(after == 0);
    CHECK(count.made == 2);
    CHECK(count.destroyed == 2);
}

// --- coroutines without local variables ----------------------------------------------------------------

namespace {

task<> empty()
{
    co_return;
}

task<int> constant()
{
    co_return 42;
}

gate* global_gate = nullptr;

task<> only_awaits()
{
    co_await maybe(global_gate);
}

task<int> returns_await()
{
    co_return co_await constant();
}

task<> calls_those_without_locals(gate* at, int& sum)
{
    global_gate = at;
    for (int i = 0; i < 3; ++i) {
        co_await empty();
        co_await only_awaits();
        int value = co_await returns_await();
        sum += value;
    }
}

} // namespace

TEST_CASE("a coroutine without local variables runs, blocks and returns")
{
    bool blocking = GENERATE(false, true);
    int sum = 0;
    run_through(blocking, [&](gate* at) { return calls_those_without_locals(at, sum); });
    CHECK(sum == 126);
}

// --- initializer lists across a suspension -------------------------------------------------------------

namespace {

task<> iterates_list(gate* at, std::vector<int>& seen)
{
    for (int value : {1, 2, 3}) {
        co_await maybe(at);
        seen.push_back(value);
    }
}

task<> iterates_strings(gate* at, std::string& seen)
{
    const std::vector<std::string> words{"first, and long enough to be elsewhere", " second"};
    for (const std::string& word : words) {
        co_await maybe(at);
        seen += word;
    }
}

task<> builds_vector(gate* at, std::vector<int>& seen)
{
    std::vector<int> all{4, 5, 6};
    co_await maybe(at);
    seen = all;
}

} // namespace

TEST_CASE("a list that is iterated keeps its elements across suspensions")
{
    bool blocking = GENERATE(false, true);
    std::vector<int> seen;
    run_through(blocking, [&](gate* at) { return iterates_list(at, seen); });
    CHECK(seen == std::vector<int>{1, 2, 3});
    run_through(blocking, [&](gate* at) { return builds_vector(at, seen); });
    CHECK(seen == std::vector<int>{4, 5, 6});

    std::string words;
    run_through(blocking, [&](gate* at) { return iterates_strings(at, words); });
    CHECK(words == "first, and long enough to be elsewhere second");
}

// --- local variables -----------------------------------------------------------------------------------

namespace {

task<> scopes(gate* at, tracked::counts& count, std::vector<int>& live)
{
    {
        tracked a(count);
        {
            tracked b(count);
            co_await maybe(at);
            live.push_back(count.live());
        }
        live.push_back(count.live());
        co_await maybe(at);
    }
    live.push_back(count.live());
    if (tracked c(count, 1); c.value == 1) {
        co_await maybe(at);
        live.push_back(count.live());
    }
    live.push_back(count.live());
}

task<> leaves_loop_early(gate* at, tracked::counts& count)
{
    for (int i = 0; i < 10; ++i) {
        tracked each(count, i);
        co_await maybe(at);
        if (i == 1)
            continue;
        if (i == 3)
            break;
    }
    for (;;) {
        tracked last(count);
        co_await maybe(at);
        co_return;
    }
}

task<int> value_of(gate* at, int value)
{
    co_await maybe(at);
    co_return value;
}

task<> in_conditions(gate* at, int& seen)
{
    if (int a = co_await value_of(at, 1); a == 1)
        seen += a;
    int b = co_await value_of(at, 0);
    while (b < 3) {
        b += co_await value_of(at, 1);
        ++seen;
    }
    const bool yes = co_await value_of(at, 5) == 5;
    seen += yes ? 10 : 0;
    auto [c, d] = std::pair(b, seen);
    co_await maybe(at);
    seen = 100 * c + d;
}

} // namespace

TEST_CASE("local variables are destroyed at the end of their scope, across suspensions")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    std::vector<int> live;
    run_through(blocking, [&](gate* at) { return scopes(at, count, live); });
    CHECK(live == std::vector<int>{2, 1, 0, 1, 0});
    CHECK(count.live() == 0);

    run_through(blocking, [&](gate* at) { return leaves_loop_early(at, count); });
    CHECK(count.live() == 0);
}

TEST_CASE("awaits in conditions and initialisers give their values")
{
    bool blocking = GENERATE(false, true);
    int seen = 0;
    run_through(blocking, [&](gate* at) { return in_conditions(at, seen); });
    CHECK(seen == 314);
}

// --- lambdas -------------------------------------------------------------------------------------------

TEST_CASE("a lambda that captures nothing is a coroutine as any function")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int seen = 0;
    auto body = [](gate* at, tracked value, int* result) -> task<> {
        co_await maybe(at);
        *result = value.value;
    };
    run_through(blocking, [&](gate* at) { return body(at, tracked(count, 9), &seen); });
    CHECK(seen == 9);
    CHECK(count.live() == 0);
}

TEST_CASE("a lambda that captures is a coroutine as long as the lambda lives")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int seen = 0;
    {
        tracked kept(count, 11);
        auto body = [kept, &seen](gate* at) -> task<> {
            co_await maybe(at);
            seen = kept.value;
        };
        run_through(blocking, [&](gate* at) { return body(at); });
    }
    CHECK(seen == 11);
    CHECK(count.live() == 0);
}

// --- exceptions ----------------------------------------------------------------------------------------

namespace {

task<> unwinds(gate* at, tracked::counts& count, int& caught)
{
    tracked outside(count);
    for (int i = 0; i < 3; ++i) {
        try {
            tracked inside(count);
            co_await maybe(at);
            throw std::runtime_error("unwind");
        } catch (const std::runtime_error&) {
            caught += count.live();
        }
        co_await maybe(at); // not in the handler, where it may not stand
    }
}

} // namespace

TEST_CASE("an exception unwinds the scopes of a coroutine that was suspended in them")
{
    bool blocking = GENERATE(false, true);
    tracked::counts count;
    int caught = 0;
    run_through(blocking, [&](gate* at) { return unwinds(at, count, caught); });
    CHECK(caught == 3);
    CHECK(count.live() == 0);
}
