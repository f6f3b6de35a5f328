#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"

#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <string>

#include <fcntl.h>

using namespace std::chrono_literals;
using vk::isolation;
using vk::process;
using vk::task;
using vk::test::fd_program;
using vk::test::socket_pair;
using vk::test::socket_program;

// What a running process can reach, on each level. Reaching further is a fault, which ends it.

namespace {

struct targets {
    volatile std::byte* victims_heap = nullptr;  // of a process that waits
    volatile std::byte* ended_heap = nullptr;    // of one that has ended
    volatile std::byte* victims_block = nullptr; // that holds what it has not read
    volatile std::byte* kernel = nullptr;
    volatile std::byte* own = nullptr;
    volatile std::byte* chosen = nullptr;
    bool write = false;
    bool victim_was_whole = false;
};

task<> be_victim(vk::socket& io, targets& all)
{
    all.victims_heap = process::current().heap().base() + 100;
    auto line = co_await io.readline(); // the second line stays in the ring
    if (line)
        all.victims_block = reinterpret_cast<volatile std::byte*>(const_cast<char*>(line->data()));
    while (!all.chosen) // and reached for, in the same dispatch
        co_await vk::sleep_for(1ms);
    // Its memory is as it was, and open to itself.
    auto second = co_await io.readline();
    all.victim_was_whole = second && *second == "second\n";
}

task<> end_at_once(int, targets& all)
{
    all.ended_heap = process::current().heap().base() + 100;
    co_return;
}

using choice = volatile std::byte* (*)(const targets&);

choice chosen_target = nullptr;

task<> reach(int, targets& all)
{
    all.own = process::current().heap().base() + 1000;
    co_await vk::sleep_for(5ms);
    all.chosen = chosen_target(all);
    std::byte seen = *all.chosen;
    if (all.write)
        *all.chosen = seen;
    co_await vk::sleep_for(1ms);
}

// What is counted of a kernel in which a process reaches for `target`. No other is harmed by it.
vk::counters reach_for(isolation level, choice target, bool write = false, bool privileged = false)
{
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "first\nsecond\n");
    targets all;
    all.write = write;
    chosen_target = target;
    socket_program<targets> victim(be_victim, all);
    fd_program<targets> passing(end_at_once, all);
    fd_program<targets> reaching(reach, all, privileged);
    vk::kernel_options options = vk::test::kernel_options_here();
    options.isolation = level;
    vk::test::kernel_here here(options);
    all.kernel = reinterpret_cast<volatile std::byte*>(&*here);
    REQUIRE(here->start(victim, fds.near.release()));
    REQUIRE(here->start(passing));
    REQUIRE(here->start(reaching));
    here->run();
    CHECK(all.victim_was_whole);
    CHECK(here->processes() == 0);
    return here->count();
}

bool reaches(isolation level, choice target, bool write = false, bool privileged = false)
{
    vk::counters count = reach_for(level, target, write, privileged);
    CHECK(count.faults == count.processes_failed); // the one that reached, and no other
    CHECK(count.faults <= 1);
    return count.faults == 0;
}

volatile std::byte* heap_of_other(const targets& all)
{
    return all.victims_heap;
}
volatile std::byte* heap_of_ended(const targets& all)
{
    return all.ended_heap;
}
volatile std::byte* block_of_other(const targets& all)
{
    return all.victims_block;
}
volatile std::byte* kernel_memory(const targets& all)
{
    return all.kernel;
}
volatile std::byte* own_memory(const targets& all)
{
    return all.own;
}

} // namespace

TEST_CASE("without isolation a process reaches everywhere", "[isolation]")
{
    for (choice target : {heap_of_other, heap_of_ended, block_of_other, kernel_memory, own_memory})
        CHECK(reaches(isolation::none, target));
}

TEST_CASE("a process reaches its own memory on each level", "[isolation]")
{
    CHECK(reaches(isolation::process, own_memory, true));
    CHECK(reaches(isolation::full, own_memory, true));
}

TEST_CASE("an isolated process that reaches for what is not its own ends, and no other",
          "[isolation]")
{
    for (isolation level : {isolation::process, isolation::full})
        for (choice target : {heap_of_other, heap_of_ended, block_of_other})
            for (bool write : {false, true})
                CHECK_FALSE(reaches(level, target, write));
}

TEST_CASE("the kernel's memory is out of reach on the level full alone", "[isolation]")
{
    CHECK(reaches(isolation::process, kernel_memory));
    CHECK_FALSE(reaches(isolation::full, kernel_memory));
    CHECK_FALSE(reaches(isolation::full, kernel_memory, true));
}

TEST_CASE("a privileged process reaches the kernel's memory, and no other heap", "[isolation]")
{
    CHECK(reaches(isolation::full, kernel_memory, true, true));
    CHECK_FALSE(reaches(isolation::full, heap_of_other, true, true));
}

namespace {

task<> work_alone(int, int& turns)
{
    for (int i = 0; i < turns; ++i) {
        process::current().spend_all(); // a dispatch for each turn
        co_await vk::yield();
    }
}

} // namespace

TEST_CASE("dispatches of one process in a row need no masks between them", "[isolation]")
{
    int turns = 200;
    fd_program<int> what(work_alone, turns);
    auto masks_of = [&](isolation level) {
        vk::kernel_options options = vk::test::kernel_options_here();
        options.isolation = level;
        vk::test::kernel_here here(options);
        here->start(what);
        here->run();
        CHECK(here->count().dispatches >= 200);
        return here->count().masks;
    };
    CHECK(masks_of(isolation::none) == 0);
    CHECK(masks_of(isolation::process) <= 2);
    CHECK(masks_of(isolation::full) <= 2 * 200 + 10); // the kernel's heap, for each batch
}

TEST_CASE("processes in turn cost two masks each, and the kernel two for a batch", "[isolation]")
{
    int turns = 50;
    fd_program<int> what(work_alone, turns);
    vk::kernel_options options = vk::test::kernel_options_here();
    options.isolation = isolation::full;
    vk::test::kernel_here here(options);
    for (int i = 0; i < 10; ++i)
        here->start(what);
    here->run();
    std::uint64_t dispatches = here->count().dispatches;
    CHECK(dispatches >= 500);
    if (here->poller_name() != "aio") // which waits without a call at times
        CHECK(here->count().masks <= 2 * dispatches + 2 * here->count().waits + 10);
}
