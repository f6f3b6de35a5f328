#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"

#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <csignal>
#include <string>

#include <fcntl.h>

using namespace std::chrono_literals;
using vk::isolation;
using vk::process;
using vk::task;
using vk::test::ending;
using vk::test::fd_program;
using vk::test::in_child;
using vk::test::socket_pair;
using vk::test::socket_program;

// What a running process can reach, on each level. Reaching further is a fault, which ends the program as long
// as faults are not contained: so each case has an OS process of its own.

namespace {

struct targets {
    volatile std::byte* victims_heap = nullptr;  // of a process that waits
    volatile std::byte* ended_heap = nullptr;    // of one that has ended
    volatile std::byte* victims_block = nullptr; // that holds what it has not read
    volatile std::byte* kernel = nullptr;
    volatile std::byte* own = nullptr;
    volatile std::byte* chosen = nullptr;
    bool write = false;
};

task<> be_victim(vk::socket& io, targets& all)
{
    all.victims_heap = process::current().heap().base() + 100;
    auto line = co_await io.readline(); // the second line stays in the ring
    if (line)
        all.victims_block = reinterpret_cast<volatile std::byte*>(const_cast<char*>(line->data()));
    co_await vk::sleep_for(20ms);
    // Its memory is as it was, and open to itself.
    auto second = co_await io.readline();
    if (!second || *second != "second\n")
        throw vk::error(EPROTO, "the victim lost its line");
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

// How a program ends in which a process reaches for `target`.
ending reach_for(isolation level, choice target, bool write = false)
{
    return in_child([=] {
        socket_pair fds;
        vk::test::write_all(fds.far.get(), "first\nsecond\n");
        targets all;
        all.write = write;
        chosen_target = target;
        socket_program<targets> victim(be_victim, all);
        fd_program<targets> passing(end_at_once, all);
        fd_program<targets> reaching(reach, all);
        vk::kernel_options options = vk::test::kernel_options_here();
        options.isolation = level;
        vk::kernel::pointer here = vk::kernel::make(options);
        all.kernel = reinterpret_cast<volatile std::byte*>(here.get());
        here->start(victim, fds.near.release());
        here->start(passing);
        here->start(reaching);
        here->run();
        return here->count().processes_failed == 0 ? 0 : 1;
    });
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
        CHECK(reach_for(isolation::none, target).exited_with(0));
}

TEST_CASE("a process reaches its own memory on each level", "[isolation]")
{
    CHECK(reach_for(isolation::process, own_memory, true).exited_with(0));
    CHECK(reach_for(isolation::full, own_memory, true).exited_with(0));
}

TEST_CASE("an isolated process that reaches for the heap of another faults", "[isolation]")
{
    for (isolation level : {isolation::process, isolation::full}) {
        for (bool write : {false, true}) {
            ending ended = reach_for(level, heap_of_other, write);
            INFO(ended.text());
            CHECK(ended.killed_by(SIGSEGV));
        }
    }
}

TEST_CASE("an isolated process that reaches for a heap that was given back faults", "[isolation]")
{
    CHECK(reach_for(isolation::process, heap_of_ended).killed_by(SIGSEGV));
    CHECK(reach_for(isolation::full, heap_of_ended).killed_by(SIGSEGV));
}

TEST_CASE("an isolated process that reaches for what another has not read faults", "[isolation]")
{
    CHECK(reach_for(isolation::process, block_of_other).killed_by(SIGSEGV));
    CHECK(reach_for(isolation::full, block_of_other).killed_by(SIGSEGV));
}

TEST_CASE("the kernel's memory is out of reach on the level full alone", "[isolation]")
{
    CHECK(reach_for(isolation::process, kernel_memory).exited_with(0));
    CHECK(reach_for(isolation::full, kernel_memory).killed_by(SIGSEGV));
    CHECK(reach_for(isolation::full, kernel_memory, true).killed_by(SIGSEGV));
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
