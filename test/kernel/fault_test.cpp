#include "support/catch.hpp"
#include "support/program.hpp"

#include <vk/base/hardware_fault.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <csignal>
#include <cstring>
#include <string>

using namespace std::chrono_literals;
using vk::hardware_fault;
using vk::process;
using vk::task;
using vk::test::fd_program;
using vk::test::kernel_here;

// What a process does to itself, and that it ends nobody else.

#if defined(__GNUC__) && !defined(__clang__)
#define VK_FAULTS_UNWIND 1
#else
#define VK_FAULTS_UNWIND 0
#endif

namespace {

// --- the kinds of faults; each is a function that does not return

volatile int zero = 0;
char* volatile nowhere = nullptr;

[[gnu::noinline, gnu::no_sanitize("all")]] int read_null()
{
    return *nowhere;
}

[[gnu::noinline, gnu::no_sanitize("all")]] int write_null()
{
    *nowhere = 1;
    return 0;
}

[[gnu::noinline, gnu::no_sanitize("all")]] int divide_by_zero()
{
    return 1 / zero;
}

[[gnu::noinline, gnu::no_sanitize("all")]] int run_no_instruction()
{
    __builtin_trap();
}

[[gnu::noinline, gnu::no_sanitize("all")]] int run_a_trap()
{
    asm volatile("int3");
    return 0;
}

[[gnu::noinline, gnu::no_sanitize("all")]] int call_null()
{
    auto function = reinterpret_cast<int (*)()>(nowhere);
    return function() + 1;
}

[[gnu::noinline, gnu::no_sanitize("all")]] int overflow_stack(volatile char* above)
{
    volatile char room[4096];
    room[0] = above ? above[0] : '\0';
    return overflow_stack(room) + room[0];
}

[[gnu::noinline, gnu::no_sanitize("all")]] int overflow()
{
    return overflow_stack(nullptr);
}

[[gnu::noinline, gnu::no_sanitize("all")]] int copy_from_nowhere()
{
    char room[64];
    std::memcpy(room, nowhere + 16, sizeof(room));
    return room[zero];
}

[[gnu::noinline]] int abort_it()
{
    std::abort();
}

[[gnu::noinline]] int fault_where_nothing_gets_out() noexcept
{
    return read_null();
}

[[gnu::noinline]] int throw_where_nothing_gets_out() noexcept
{
    throw std::runtime_error("kept in");
}

// Whether it can be caught in the thread, where the compiler provides for that at all.
enum class fate { caught, dropped, either };

struct kind {
    const char* name;
    int (*commit)();
    int signal; // 0: an exception of another type
    fate expected;
};

constexpr kind kinds[] = {
    {"a read of address 0", read_null, SIGSEGV, fate::caught},
    {"a write to address 0", write_null, SIGSEGV, fate::caught},
    {"a division by zero", divide_by_zero, SIGFPE, fate::caught},
    {"an illegal instruction", run_no_instruction, SIGILL, fate::caught},
    {"a trap", run_a_trap, SIGTRAP, fate::caught},
    {"a call of address 0", call_null, SIGSEGV, fate::caught},
    {"an overflow of the stack", overflow, SIGSEGV, fate::caught},
    {"a bad pointer in memcpy", copy_from_nowhere, SIGSEGV, fate::either},
    {"abort", abort_it, SIGABRT, fate::dropped},
    {"a fault in a noexcept function", fault_where_nothing_gets_out, SIGSEGV, fate::dropped},
    {"an exception in a noexcept function", throw_where_nothing_gets_out, 0, fate::dropped},
};

// --- programs

struct record {
    int (*commit)() = nullptr;
    int caught_signal = 0;
    int rounds = 0; // of the neighbour
    int ended = 0;  // locals that were destroyed
    int unwound = 0;
};

struct local {
    int* ended;
    ~local() { ++*ended; }
};

task<> be_neighbour(int, record& all)
{
    for (int i = 0; i < 20; ++i) {
        ++all.rounds;
        co_await vk::sleep_for(1ms);
    }
}

task<int> commit_deep(record* all)
{
    local one{&all->ended};
    co_await vk::sleep_for(2ms);
    int result = all->commit();
    co_return result;
}

task<> catch_it(int, record& all)
{
    local one{&all.ended};
    try {
        task<int> committing = commit_deep(&all);
        co_await std::move(committing);
    } catch (const hardware_fault& e) {
        all.caught_signal = e.signal();
    }
    co_await vk::sleep_for(1ms); // it goes on
    ++all.unwound;
}

task<> let_it_go(int, record& all)
{
    local one{&all.ended};
    task<int> committing = commit_deep(&all);
    co_await std::move(committing);
}

} // namespace

TEST_CASE("every kind of fault ends its process, or is caught in it, and nothing else is harmed")
{
    for (const kind& one : kinds) {
        INFO(one.name);
        record all;
        all.commit = one.commit;
        fd_program<record> neighbour(be_neighbour, all);
        fd_program<record> catching(catch_it, all);
        fd_program<record> failing(let_it_go, all);
        kernel_here here;
        REQUIRE(here->start(neighbour));
        REQUIRE(here->start(failing));
        REQUIRE(here->start(catching));
        here->run();
        CHECK(all.rounds == 20);
        CHECK(here->processes() == 0);
        CHECK(here->count().faults == (one.signal ? 2 : 0));
        if (one.expected == fate::either)
            continue;
        if (one.expected == fate::caught && VK_FAULTS_UNWIND) {
            CHECK(all.caught_signal == one.signal);
            CHECK(all.unwound == 1);
            CHECK(all.ended == 4);
            CHECK(here->count().processes_failed == 1);
        } else {
            CHECK(here->count().processes_failed == 2);
        }
    }
}
