#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/faults.hpp"
#include "support/program.hpp"
#include "support/sanitizer.hpp"

#include <vk/base/critical.hpp>
#include <vk/base/hardware_fault.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include <signal.h>
#include <unistd.h>

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
        bool is_the_machines = one.signal != 0 && one.signal != SIGABRT;
        if (one.expected == fate::either || (is_the_machines && !VK_FAULTS_UNWIND)) {
            // Thrown where a function that was called can be unwound, else dropped.
            CHECK((all.unwound == 0 || all.caught_signal == one.signal));
            CHECK(here->count().processes_failed == (all.unwound == 1 ? 1 : 2));
            continue;
        }
        if (one.expected == fate::caught) {
            CHECK(all.caught_signal == one.signal);
            CHECK(all.unwound == 1);
            CHECK(all.ended == 4);
            CHECK(here->count().processes_failed == 1);
        } else {
            CHECK(here->count().processes_failed == 2);
        }
    }
}

namespace {

// A program in which a process commits `one`.
int run_with(int (*one)(), bool contained)
{
    record all;
    all.commit = one;
    fd_program<record> neighbour(be_neighbour, all);
    fd_program<record> failing(let_it_go, all);
    vk::kernel_options options = vk::test::kernel_options_here();
    options.contain_faults = contained;
    vk::kernel::pointer here = vk::kernel::make(options);
    here->start(neighbour);
    here->start(failing);
    here->run();
    return all.rounds == 20 ? 0 : 1;
}

// How it ends.
vk::test::ending end_of(int (*one)(), bool contained = true)
{
    return vk::test::in_child([=] { return run_with(one, contained); });
}

int fault_with_a_lock()
{
    vk::critical locked;
    return faults::read_null();
}

int compare_nothing(const void*, const void*)
{
    return faults::read_null();
}

int sort_badly()
{
    int all[] = {3, 2, 1};
    std::qsort(all, 3, sizeof(int), compare_nothing);
    return all[0];
}

VK_FAULTY int measure_nothing()
{
    return static_cast<int>(std::strlen(faults::nowhere + 64));
}

int send_a_fault_to_itself()
{
    ::kill(::getpid(), SIGSEGV);
    return 0;
}

} // namespace

TEST_CASE("a fault that leaves a lock of the program taken ends the OS process, which says so")
{
    vk::test::ending ended = end_of(fault_with_a_lock);
    INFO(ended.text());
    CHECK(ended.exited_with(vk::limits::exit_status_broken));
    CHECK(ended.said.find("SIGSEGV") != std::string::npos);
    CHECK(ended.said.find("lock") != std::string::npos);
}

// A sanitizer puts functions of its own in front of the C library's.
#if !VK_ADDRESS_SANITIZER

namespace {

int free_nothing()
{
    std::free(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(faults::nowhere) + 64));
    return 0;
}

int free_twice()
{
    void* volatile one = std::malloc(4000);
    std::free(one);
    std::free(one);
    return 0;
}

int print_nothing()
{
    std::FILE* out = std::fopen("/dev/null", "w");
    std::fprintf(out, "%s and %d", faults::nowhere + 64, 1);
    std::fclose(out);
    return 0;
}

} // namespace

TEST_CASE("a fault inside the C library ends the OS process where it may hold a lock")
{
    for (auto one : {free_nothing, free_twice, print_nothing}) {
        vk::test::ending ended = end_of(one);
        INFO(ended.text());
        CHECK(ended.exited_with(vk::limits::exit_status_broken));
    }
}

#endif

TEST_CASE("a fault inside the C library ends its process alone where it holds none")
{
    for (auto one : {sort_badly, measure_nothing, faults::copy_from_nowhere}) {
        vk::test::ending ended = end_of(one);
        INFO(ended.text());
        CHECK(ended.exited_with(0));
    }
}

TEST_CASE("a signal that was sent is nobody's fault, and has its own action")
{
    CHECK(end_of(send_a_fault_to_itself).killed_by(SIGSEGV));
}

TEST_CASE("a handler of before may end the program, as a sanitizer's or a crash reporter's does")
{
    vk::test::ending ended = vk::test::in_child([] {
        std::signal(SIGSEGV, [](int) { std::abort(); });
        return run_with(send_a_fault_to_itself, true);
    });
    INFO(ended.text());
    CHECK(ended.killed_by(SIGABRT));
}

#if VK_ADDRESS_SANITIZER

namespace {

int write_past_an_end()
{
    volatile char* bytes = new char[8];
    bytes[8] = 'x';
    delete[] bytes;
    return 0;
}

} // namespace

TEST_CASE("what a sanitizer reports ends the program, though a process did it")
{
    vk::test::ending ended = end_of(write_past_an_end);
    INFO(ended.text());
    CHECK((ended.exited_with(1) || ended.killed_by(SIGABRT)));
    CHECK(ended.said.find("heap-buffer-overflow") != std::string::npos);
}

#endif

TEST_CASE("a fault ends the program where faults are not to be contained")
{
    CHECK(end_of(faults::read_null, false).killed_by(SIGSEGV));
    CHECK(end_of(faults::abort_it, false).killed_by(SIGABRT));
}

TEST_CASE("a fault of code that is no process ends the program")
{
    vk::test::ending ended = vk::test::in_child([] {
        vk::kernel::pointer here = vk::kernel::make(vk::test::kernel_options_here());
        here->run();
        return faults::read_null();
    });
    INFO(ended.text());
    CHECK(ended.killed_by(SIGSEGV));
}

TEST_CASE(
    "exceptions that were thrown before the kernel ran are as they were after a process is dropped")
{
    record all;
    all.commit = faults::throw_where_nothing_gets_out;
    fd_program<record> failing(let_it_go, all);
    auto run = [&] {
        kernel_here here;
        REQUIRE(here->start(failing));
        REQUIRE(here->start(failing));
        here->run();
        CHECK(here->count().processes_failed == 2);
        CHECK(std::uncaught_exceptions() == 0);
    };
    try {
        throw std::runtime_error("from before");
    } catch (const std::exception&) {
        run();
        try {
            throw;
        } catch (const std::runtime_error& e) {
            CHECK(std::string(e.what()) == "from before");
        }
    }
    CHECK(std::current_exception() == nullptr);
}
