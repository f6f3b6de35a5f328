#include "support/catch.hpp"
#include "support/faults.hpp"
#include "support/program.hpp"

#include <vk/base/hardware_fault.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>

using namespace std::chrono_literals;
using vk::hardware_fault;
using vk::process;
using vk::task;
using vk::test::fd_program;
namespace faults = vk::test::faults;
using faults::fate;
using vk::test::kernel_here;

// What a process does to itself, and that it ends nobody else.

namespace {

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
    for (const faults::kind& one : faults::kinds) {
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
