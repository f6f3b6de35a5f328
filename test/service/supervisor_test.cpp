#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/start_process.hpp>
#include <vk/kernel/stop.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>
#include <vk/service/supervisor.hpp>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using vk::exit_reason;
using vk::monitor_handle;
using vk::restart;
using vk::strategy;
using vk::supervisor;
using vk::supervisor_options;
using vk::task;
using vk::task_function;
using vk::test::fd_program;
using vk::test::kernel_here;
using vk::test::kernel_options_here;
using vk::test::quiet;
using vk::test::run_process;
using kind = vk::exit_reason::kind;

// Children write into a diary, outside of all heaps: "+a" when a starts, "-a" when it ends as it was told, "!a"
// when it fails, ".a" when it ends normally. Entries are told apart by spaces.

namespace {

struct diary {
    std::string text{};
    std::size_t children = 1; // before so many have started none ends by itself
    std::size_t starts = 0;
    void write(char what, const char* who)
    {
        starts += what == '+';
        text += what;
        text += who;
        text += ' ';
    }
};

// What a child does; each run takes the next of `runs`, and those after the last sleep.
struct act {
    const char* name;
    diary* in;
    std::vector<char>
        runs{}; // '!' fails, '.' ends normally, 'x' is stopped by another, 's' will not end, 'l' takes long to
    std::size_t count = 0;
    vk::process_id is{};
};

task<> cannot_be_told()
{
    for (;;) {
        try {
            co_await vk::sleep_for(1h);
        } catch (const vk::cancelled&) {
        }
    }
}

task<> perform(act& by)
{
    char what = by.count < by.runs.size() ? by.runs[by.count] : ' ';
    ++by.count;
    by.is = vk::self();
    by.in->write('+', by.name);
    if (what == '!' || what == '.') {
        do
            co_await vk::sleep_for(1ms);
        while (by.in->starts < by.in->children);
        by.in->write(what, by.name);
        if (what == '!')
            vk::raise(EIO, by.name);
        co_return;
    }
    if (what == 's')
        co_await cannot_be_told();
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        if (what != 'l') {
            by.in->write('-', by.name);
            throw;
        }
    }
    co_await vk::sleep_for(15ms);
    by.in->write('-', by.name);
}

vk::child_program acted(act& by)
{
    return task_function<>(perform, by);
}

// Watches a supervisor, and has the kernel drain when nothing has been written into the diary for some turns, however
// slow the machine is.
struct director {
    const supervisor* tree;
    const diary* in;
    exit_reason why{kind::missing};
};

task<> drain_when_quiet(director* by)
{
    std::size_t written = 0;
    for (int quiet_turns = 0; quiet_turns < 10; ++quiet_turns) {
        co_await vk::sleep_for(3ms);
        if (written != by->in->text.size())
            quiet_turns = 0;
        written = by->in->text.size();
    }
    vk::process::current().shared().requests.leave({vk::request::verb::drain});
}

task<> direct(int, director& by)
{
    monitor_handle run = co_await vk::start_monitored(*by.tree);
    vk::thread_handle draining = vk::spawn(drain_when_quiet, &by);
    by.why = co_await run.down();
    draining.cancel();
}

struct played {
    exit_reason why{kind::missing};
    vk::counters count;
};

played play(const supervisor& tree, const diary& in,
            vk::kernel_options options = kernel_options_here())
{
    quiet hushed;
    director by{&tree, &in};
    fd_program<director> directing(direct, by);
    options.drain_ms = 5'000;
    kernel_here here(options);
    REQUIRE(here->start(directing));
    here->run();
    CHECK(here->processes() == 0);
    played result{by.why, here->count()};
    CHECK(result.count.processes_started == result.count.processes_ended);
    return result;
}

// Three children, of which the one in the middle does `middle`, under `how`.
std::string play_three(strategy how, restart kept, std::vector<char> middle,
                       restart others = restart::permanent)
{
    diary in{.children = 3};
    act a{"a", &in};
    act b{"b", &in, std::move(middle)};
    act c{"c", &in};
    supervisor tree({.strategy = how, .intensity = 3},
                    {{.name = "a", .run = acted(a), .restart = others},
                     {.name = "b", .run = acted(b), .restart = kept},
                     {.name = "c", .run = acted(c), .restart = others}});
    played result = play(tree, in);
    CHECK(result.why.what == kind::normal);
    return in.text;
}

} // namespace

// --- order -----------------------------------------------------------------------------------------------

TEST_CASE("children are started in order, and ended in reverse order when the kernel drains")
{
    for (strategy how : {strategy::one_for_one, strategy::one_for_all, strategy::rest_for_one})
        CHECK(play_three(how, restart::permanent, {}) == "+a +b +c -c -b -a ");
}

TEST_CASE("a supervisor without children waits to be ended")
{
    diary in;
    supervisor tree({}, {});
    CHECK(play(tree, in).why.what == kind::normal);
}

// --- strategies and kinds ---------------------------------------------------------------------------------

TEST_CASE("one for one: the child that failed is restarted, alone")
{
    CHECK(play_three(strategy::one_for_one, restart::permanent, {'!'}) ==
          "+a +b +c !b +b -c -b -a ");
    CHECK(play_three(strategy::one_for_one, restart::transient, {'!', '!'}) ==
          "+a +b +c !b +b !b +b -c -b -a ");
    CHECK(play_three(strategy::one_for_one, restart::temporary, {'!'}) == "+a +b +c !b -c -a ");
}

TEST_CASE("one for all: the others are ended in reverse order, and all are restarted in order")
{
    CHECK(play_three(strategy::one_for_all, restart::permanent, {'!'}) ==
          "+a +b +c !b -c -a +a +b +c -c -b -a ");
    CHECK(play_three(strategy::one_for_all, restart::transient, {'!'}) ==
          "+a +b +c !b -c -a +a +b +c -c -b -a ");
    CHECK(play_three(strategy::one_for_all, restart::temporary, {'!'}) == "+a +b +c !b -c -a ");
}

TEST_CASE("rest for one: those that were started after it are ended and restarted with it")
{
    CHECK(play_three(strategy::rest_for_one, restart::permanent, {'!'}) ==
          "+a +b +c !b -c +b +c -c -b -a ");
    CHECK(play_three(strategy::rest_for_one, restart::transient, {'!'}) ==
          "+a +b +c !b -c +b +c -c -b -a ");
    CHECK(play_three(strategy::rest_for_one, restart::temporary, {'!'}) == "+a +b +c !b -c -a ");
}

TEST_CASE("after a normal end a permanent child is restarted, and no other")
{
    CHECK(play_three(strategy::one_for_one, restart::permanent, {'.'}) ==
          "+a +b +c .b +b -c -b -a ");
    CHECK(play_three(strategy::one_for_all, restart::permanent, {'.'}) ==
          "+a +b +c .b -c -a +a +b +c -c -b -a ");
    CHECK(play_three(strategy::rest_for_one, restart::permanent, {'.'}) ==
          "+a +b +c .b -c +b +c -c -b -a ");
    for (strategy how : {strategy::one_for_one, strategy::one_for_all, strategy::rest_for_one}) {
        CHECK(play_three(how, restart::transient, {'.'}) == "+a +b +c .b -c -a ");
        CHECK(play_three(how, restart::temporary, {'.'}) == "+a +b +c .b -c -a ");
    }
}

TEST_CASE("a temporary child that was ended for the sake of another is not restarted")
{
    CHECK(play_three(strategy::one_for_all, restart::permanent, {'!'}, restart::temporary) ==
          "+a +b +c !b -c -a +b -b ");
    CHECK(play_three(strategy::rest_for_one, restart::permanent, {'!'}, restart::temporary) ==
          "+a +b +c !b -c +b -b -a ");
}

TEST_CASE("a transient child that had ended for good is started again with the others")
{
    diary in{.children = 3};
    act a{"a", &in, {'.'}};
    act b{"b", &in, {}};
    act c{"c", &in, {}};
    struct late {
        static task<> fail(act& by)
        {
            bool first = by.count++ == 0;
            by.in->write('+', by.name);
            while (!first || by.in->text.find(".a") == std::string::npos)
                co_await vk::sleep_for(1ms);
            by.in->write('!', by.name);
            vk::raise(EIO, by.name);
        }
    };
    supervisor tree({.strategy = strategy::one_for_all},
                    {{.name = "a", .run = acted(a), .restart = restart::transient},
                     {.name = "b", .run = task_function<>(late::fail, b)},
                     {.name = "c", .run = acted(c)}});
    play(tree, in);
    CHECK(in.text == "+a +b +c .a !b -c +a +b +c -c -a ");
}

TEST_CASE("what somebody else has stopped is restarted if it is permanent, not if it is transient")
{
    struct stopper {
        static task<> stop(act& of)
        {
            co_await vk::sleep_for(2ms);
            if (of.count == 1)
                (void)co_await vk::stop(of.is, 1s);
            co_await vk::sleep_for(1h);
        }
    };
    for (restart kept : {restart::permanent, restart::transient}) {
        diary in;
        act a{"a", &in, {}};
        supervisor tree({}, {{.name = "a", .run = acted(a), .restart = kept},
                             {.name = "stopper", .run = task_function<>(stopper::stop, a)}});
        play(tree, in);
        CHECK(in.text == (kept == restart::permanent ? "+a -a +a -a " : "+a -a "));
    }
}

TEST_CASE("restarts are counted")
{
    diary in;
    act a{"a", &in, {'!', '!', '.'}};
    supervisor tree({.intensity = 3}, {{.name = "a", .run = acted(a)}});
    CHECK(play(tree, in).count.children_restarted == 3);
}

// --- intensity -------------------------------------------------------------------------------------------

TEST_CASE("after more restarts than its intensity a supervisor ends its children and itself, as if "
          "told to")
{
    for (std::uint32_t intensity : {0u, 1u, 3u}) {
        diary in{.children = 3};
        act a{"a", &in};
        act b{"b", &in, std::vector<char>(10, '!')};
        act c{"c", &in};
        supervisor tree({.intensity = intensity}, {{.name = "a", .run = acted(a)},
                                                   {.name = "b", .run = acted(b)},
                                                   {.name = "c", .run = acted(c)}});
        played result = play(tree, in);
        std::string expected = "+a +b +c !b ";
        for (std::uint32_t n = 0; n < intensity; ++n)
            expected += "+b !b ";
        CHECK(in.text == expected + "-c -a ");
        CHECK(result.why.what == kind::cancelled);
        CHECK(result.count.children_restarted == intensity);
    }
}

TEST_CASE("restarts that are further apart than the period do not add up")
{
    diary in;
    act a{"a", &in, std::vector<char>(5, '!')};
    supervisor tree({.intensity = 1, .period = 0ms}, {{.name = "a", .run = acted(a)}});
    played result = play(tree, in);
    CHECK(result.why.what == kind::normal);
    CHECK(result.count.children_restarted == 5);
}

TEST_CASE("the restart of all children counts once")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in, {'!'}};
    supervisor tree({.strategy = strategy::one_for_all, .intensity = 1},
                    {{.name = "a", .run = acted(a)}, {.name = "b", .run = acted(b)}});
    CHECK(play(tree, in).why.what == kind::normal);
    CHECK(in.text == "+a +b !b -a +a +b -b -a ");
}

// --- ending ----------------------------------------------------------------------------------------------

TEST_CASE(
    "a child that does not end within its shutdown span is discarded, and the others after it")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in, {'s'}};
    act c{"c", &in};
    supervisor tree({}, {{.name = "a", .run = acted(a)},
                         {.name = "b", .run = acted(b), .shutdown = 20ms},
                         {.name = "c", .run = acted(c)}});
    played result = play(tree, in);
    CHECK(in.text == "+a +b +c -c -a ");
    CHECK(result.why.what == kind::normal);
}

TEST_CASE("a child may be ended without being told")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in};
    supervisor tree({}, {{.name = "a", .run = acted(a)},
                         {.name = "b", .run = acted(b), .shutdown = vk::brutal_kill}});
    play(tree, in);
    CHECK(in.text == "+a +b -a ");
}

TEST_CASE("children of a supervisor that is discarded end too")
{
    struct killer {
        static task<> run(int, director& by)
        {
            monitor_handle run = co_await vk::start_monitored(*by.tree);
            while (by.in->text != "+a +b ")
                co_await vk::sleep_for(1ms);
            by.why = co_await vk::stop(run.id(), vk::brutal_kill);
        }
    };
    quiet hushed;
    diary in;
    act a{"a", &in};
    act b{"b", &in};
    supervisor tree({}, {{.name = "a", .run = acted(a)}, {.name = "b", .run = acted(b)}});
    director by{&tree, &in};
    fd_program<director> killing(killer::run, by);
    run_process(killing);
    CHECK(by.why.what == kind::discarded);
    CHECK(in.text.size() == std::string("+a +b -a -b ").size());
    CHECK(in.text.find("-a") != std::string::npos);
    CHECK(in.text.find("-b") != std::string::npos);
}

TEST_CASE(
    "a supervisor that is told to end again and again ends its children in order, and normally")
{
    struct teller {
        static task<> run(int, director& by)
        {
            monitor_handle run = co_await vk::start_monitored(*by.tree);
            while (by.in->text != "+a +b ")
                co_await vk::sleep_for(1ms);
            for (int times = 0; times < 3; ++times) {
                co_await vk::order_end(run.id(), vk::infinity);
                co_await vk::sleep_for(1ms);
            }
            by.why = co_await run.down();
        }
    };
    quiet hushed;
    diary in;
    act a{"a", &in};
    act b{"b", &in, {'l'}};
    supervisor tree({}, {{.name = "a", .run = acted(a)}, {.name = "b", .run = acted(b)}});
    director by{&tree, &in};
    fd_program<director> telling(teller::run, by);
    run_process(telling);
    CHECK(in.text == "+a +b -b -a ");
    CHECK(by.why.what == kind::normal);
}

TEST_CASE("a supervisor waits for a child that takes longer to end than a drain may")
{
    // The drain's span is over long before the children have ended.
    diary in;
    struct slow {
        static task<> run(act& by)
        {
            by.in->write('+', by.name);
            for (int left = 3; left > 0;) {
                try {
                    co_await vk::sleep_for(1h);
                } catch (const vk::cancelled&) {
                    --left; // by its supervisor, and by the kernel
                }
            }
            by.in->write('-', by.name);
        }
    };
    act a{"a", &in};
    act b{"b", &in};
    supervisor tree({}, {{.name = "a", .run = acted(a)},
                         {.name = "b", .run = task_function<>(slow::run, b), .shutdown = 10s}});
    quiet hushed;
    director by{&tree, &in};
    fd_program<director> directing(direct, by);
    vk::kernel_options options = kernel_options_here();
    options.drain_ms = 10;
    kernel_here here(options);
    REQUIRE(here->start(directing));
    here->run();
    CHECK(in.text == "+a +b -a -b "); // a by the kernel, which has waited long enough
    CHECK(here->processes() == 0);
}

// --- starting --------------------------------------------------------------------------------------------

namespace {

// A program that can be started so many times.
class exhaustible final : public vk::program {
public:
    exhaustible(const vk::program& what, int times) : what_(&what), times_(times) {}
    void start(vk::process& fresh, int fd) const override
    {
        if (times_-- <= 0)
            throw vk::heap_exhausted(9, 1);
        what_->start(fresh, fd);
    }

private:
    const vk::program* what_;
    mutable int times_;
};

} // namespace

TEST_CASE("a supervisor whose child cannot be started ends those before it, and fails")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in};
    act c{"c", &in};
    vk::child_program inner = acted(b);
    exhaustible never(inner, 0);
    supervisor tree({}, {{.name = "a", .run = acted(a)},
                         {.name = "b", .run = never},
                         {.name = "c", .run = acted(c)}});
    played result = play(tree, in);
    CHECK(in.text == "+a -a ");
    CHECK(result.why == exit_reason{kind::failed, ENOMEM});
}

TEST_CASE("a child that cannot be started again is tried again, each time as a restart")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in, {'!'}};
    vk::child_program inner = acted(b);
    exhaustible once(inner, 1);
    supervisor tree({.intensity = 4}, {{.name = "a", .run = acted(a)}, {.name = "b", .run = once}});
    played result = play(tree, in);
    CHECK(in.text == "+a +b !b -a ");
    CHECK(result.why.what == kind::cancelled);
    CHECK(result.count.processes_started == 2 + 2 + 4);
    CHECK(result.count.children_restarted == 0);
}

// --- trees -----------------------------------------------------------------------------------------------

TEST_CASE("supervisors nest: a tree is started and ended in order")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in};
    act c{"c", &in};
    act d{"d", &in, {'l'}}; // until which has ended, nobody is told
    supervisor inner({}, {{.name = "b", .run = acted(b)}, {.name = "c", .run = acted(c)}});
    supervisor tree({}, {{.name = "a", .run = acted(a)},
                         {.name = "inner", .run = inner},
                         {.name = "d", .run = acted(d)}});
    CHECK(play(tree, in).why.what == kind::normal);
    CHECK(in.text.substr(in.text.find("-d")) == "-d -c -b -a ");
    CHECK(in.text.find("+a") < in.text.find("+b"));
    CHECK(in.text.find("+b") < in.text.find("+c"));
}

TEST_CASE("a supervisor that gives up is restarted by its own, as its kind says")
{
    for (restart kept : {restart::permanent, restart::transient, restart::temporary}) {
        diary in;
        act a{"a", &in};
        act b{"b", &in, {'!', '!'}};
        supervisor inner({.intensity = 1}, {{.name = "b", .run = acted(b)}});
        supervisor tree(
            {}, {{.name = "a", .run = acted(a)}, {.name = "inner", .run = inner, .restart = kept}});
        played result = play(tree, in);
        CHECK(result.why.what == kind::normal);
        // Its end is no failure, as in OTP: `shutdown`.
        std::string expected = "+a +b !b +b !b ";
        CHECK(in.text == expected + (kept == restart::permanent ? "+b -b -a " : "-a "));
    }
}

TEST_CASE("a tree gives up from the leaves to the root")
{
    diary in;
    act a{"a", &in};
    act b{"b", &in, std::vector<char>(100, '!')};
    supervisor inner({.intensity = 1}, {{.name = "b", .run = acted(b)}});
    supervisor middle({.intensity = 2}, {{.name = "inner", .run = inner}});
    supervisor tree({.intensity = 1},
                    {{.name = "a", .run = acted(a)}, {.name = "middle", .run = middle}});
    played result = play(tree, in);
    CHECK(result.why.what == kind::cancelled);
    CHECK(b.count == 2 * 3 * 2); // each level tries as often as it may
    CHECK(in.text.substr(in.text.size() - 3) == "-a ");
}

TEST_CASE("thousands of restarts leave nothing behind")
{
    struct child {
        static task<> run(act& by)
        {
            vk::process::current().spend_all();
            co_await vk::yield();
            if (++by.count > 2'000)
                co_await vk::sleep_for(1h);
            by.in->write('+', by.name);
        }
    };
    diary in;
    act a{"a", &in};
    supervisor tree({.intensity = 1, .period = 0ms},
                    {{.name = "child", .run = task_function<>(child::run, a)}});
    vk::kernel_options options = kernel_options_here();
    options.ties_max = 2; // the director's and the child's
    played result = play(tree, in, options);
    CHECK(result.why.what == kind::normal);
    CHECK(a.count == 2'001);
    CHECK(result.count.children_restarted == 2'000);
}
