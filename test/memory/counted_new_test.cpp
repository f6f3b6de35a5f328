#include "proc/process_by_hand.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/critical.hpp>
#include <vk/base/memory_exhausted.hpp>
#include <vk/memory/counted_allocation.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

#include <sys/time.h>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vk::global_account;
using vk::process;
using vk::task;
using vk::test::fd_program;
using vk::test::in_child;
using vk::test::kernel_here;
using vk::test::process_by_hand;

// A program that links counted_new, whose processes have an account each.

namespace {

constexpr std::size_t kib = 1024;

std::size_t held()
{
    return process::current().account().held();
}

// Whether `bytes` more are held than `before`: at least, and no more than an allocator rounds up.
bool is_about(std::size_t now, std::size_t before, std::size_t bytes)
{
    return now >= before + bytes && now <= before + bytes + 8 * kib;
}

// Whether `allocate()` throws an Exception, and none derived from it.
template <class Exception, class Allocate>
bool throws(Allocate&& allocate)
{
    try {
        (void)allocate();
    } catch (const std::exception& e) {
        return typeid(e) == typeid(Exception);
    }
    return false;
}

// One process with `limit` bytes that runs `main(argument)` to its end; what was counted.
template <class Argument>
vk::counters run_limited(std::size_t limit, task<> (*main)(int, Argument&), Argument& argument)
{
    vk::kernel_options options = vk::test::kernel_options_here();
    options.global_bytes_max = limit;
    fd_program<Argument> what(main, argument);
    kernel_here here(options);
    REQUIRE(here->start(what));
    here->run();
    return here->count();
}

} // namespace

// --- counting ------------------------------------------------------------------------------------------

TEST_CASE("what a process allocates is on its account until it is freed")
{
    struct sizes {
        static task<> run(int, std::vector<std::size_t>& seen)
        {
            seen[0] = held();
            auto bytes = std::make_unique<char[]>(100 * kib);
            seen[1] = held();
            co_await vk::yield();
            std::string text(50 * kib, 'x');
            seen[2] = held();
            bytes.reset();
            seen[3] = held();
            std::string().swap(text); // an assignment would keep the room
            seen[4] = held();
        }
    };
    std::vector<std::size_t> seen(5);
    vk::counters count = run_limited(0, sizes::run, seen);
    CHECK(seen[0] == 0);
    CHECK(is_about(seen[1], 0, 100 * kib));
    CHECK(is_about(seen[2], seen[1], 50 * kib));
    CHECK(is_about(seen[3], 0, 50 * kib));
    CHECK(seen[4] == 0);
    CHECK(count.global_bytes_high_water == seen[2]);
    CHECK(count.global_bytes_lost == 0);
    CHECK(count.allocations_refused == 0);
}

TEST_CASE("every form of new and delete counts, and gives what was asked, aligned")
{
    struct alignas(256) wide {
        char bytes[256];
    };
    struct forms {
        static void check(bool& good, void* at, std::size_t alignment, std::size_t bytes)
        {
            good = good && at && reinterpret_cast<std::uintptr_t>(at) % alignment == 0 &&
                   held() >= bytes && global_account::current == &process::current().account();
            if (at)
                std::memset(at, 1, bytes);
        }
        static task<> run(int, bool& good)
        {
            const std::align_val_t to{64};
            void* at = ::operator new(1000);
            check(good, at, 16, 1000);
            ::operator delete(at);
            at = ::operator new(1000, std::nothrow);
            check(good, at, 16, 1000);
            ::operator delete(at, std::nothrow);
            at = ::operator new(1001, to);
            check(good, at, 64, 1001);
            ::operator delete(at, to);
            at = ::operator new(1001, to, std::nothrow);
            check(good, at, 64, 1001);
            ::operator delete(at, to, std::nothrow);
            at = ::operator new[](1000);
            check(good, at, 16, 1000);
            ::operator delete[](at);
            at = ::operator new[](1000, std::nothrow);
            check(good, at, 16, 1000);
            ::operator delete[](at, std::nothrow);
            at = ::operator new[](1001, to);
            check(good, at, 64, 1001);
            ::operator delete[](at, to);
            at = ::operator new[](1001, to, std::nothrow);
            check(good, at, 64, 1001);
            ::operator delete[](at, to, std::nothrow);
            auto* one = new wide;
            check(good, one, 256, sizeof(wide));
            delete one;
            auto* several = new wide[3];
            check(good, several, 256, 3 * sizeof(wide));
            delete[] several;
            at = ::operator new(0);
            void* other = ::operator new(0, to);
            good = good && at && other && at != other;
            ::operator delete(at, std::size_t{0});
            ::operator delete(other, std::size_t{0}, to);
            good = good && held() == 0;
            co_return;
        }
    };
    bool good = true;
    vk::counters count = run_limited(100 * kib, forms::run, good);
    CHECK(good);
    CHECK(count.global_bytes_lost == 0);
}

TEST_CASE("each process has an account of its own, and the kernel and the program have none")
{
    struct growing {
        static task<> run(int, std::vector<std::size_t>& seen)
        {
            std::string own(10 * kib * process::current().id(), 'x');
            co_await vk::sleep_for(2ms); // while the others run
            seen[process::current().id() - 1] = held();
        }
    };
    std::vector<std::size_t> seen(3);
    fd_program<std::vector<std::size_t>> what(growing::run, seen);
    kernel_here here;
    for (int i = 0; i < 3; ++i)
        REQUIRE(here->start(what));
    CHECK(global_account::current == nullptr);
    here->run();
    CHECK(global_account::current == nullptr);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(is_about(seen[i], 0, 10 * kib * (i + 1)));
    CHECK(here->count().global_bytes_lost == 0);
}

TEST_CASE("what all threads of a process hold is on one account, and what they hand to each other "
          "stays there")
{
    struct handing {
        static task<> make(std::string* into)
        {
            *into = std::string(20 * kib, 'x');
            co_return;
        }
        static task<> run(int, std::vector<std::size_t>& seen)
        {
            std::string text;
            auto maker = vk::spawn(make, &text);
            co_await maker.join();
            seen[0] = held();
            std::string().swap(text); // an assignment would keep the room
            seen[1] = held();
        }
    };
    std::vector<std::size_t> seen(2);
    run_limited(0, handing::run, seen);
    CHECK(is_about(seen[0], 0, 20 * kib));
    CHECK(seen[1] == 0);
}

TEST_CASE("what one process allocates and another frees stays with the first and makes no debt of "
          "the other")
{
    struct shelf {
        std::string left;
        std::size_t giver = 0;
        std::size_t taker = 1;
    };
    struct passing {
        static task<> give(int, shelf& on)
        {
            on.left = std::string(30 * kib, 'x');
            while (on.taker != 0)
                co_await vk::sleep_for(1ms);
            on.giver = held();
        }
        static task<> take(int, shelf& on)
        {
            std::string().swap(on.left);
            on.taker = held();
            co_return;
        }
    };
    shelf on;
    fd_program<shelf> giving(passing::give, on);
    fd_program<shelf> taking(passing::take, on);
    kernel_here here;
    REQUIRE(here->start(giving));
    REQUIRE(here->start(taking));
    here->run();
    CHECK(on.left.capacity() < kib);
    CHECK(is_about(on.giver, 0, 30 * kib));
    CHECK(on.taker == 0);
    CHECK(here->count().global_bytes_lost == on.giver);
}

TEST_CASE("what a process leaves behind is counted as lost")
{
    struct leaving {
        static task<> run(int, std::vector<char>*& out)
        {
            out = new std::vector<char>(40 * kib);
            co_return;
        }
    };
    std::vector<char>* left = nullptr;
    vk::counters count = run_limited(0, leaving::run, left);
    CHECK(is_about(count.global_bytes_lost, 0, 40 * kib));
    delete left;
}

TEST_CASE("the account of a process that is taken away without an end is closed by who takes it")
{
    struct holding {
        static task<> run(char*& out)
        {
            out = new char[40 * kib];
            co_await vk::sleep_for(1h);
        }
    };
    char* left = nullptr;
    process_by_hand one;
    one.start(holding::run, left);
    CHECK(one.dispatch() == vk::outcome::blocked);
    CHECK(one.shared->count.global_bytes_lost == 0);
    one.made.close_account();
    CHECK(is_about(one.shared->count.global_bytes_lost, 0, 40 * kib));
    CHECK(one.shared->count.global_bytes_high_water == one.shared->count.global_bytes_lost);
    delete[] left;
}

// --- the limit -----------------------------------------------------------------------------------------

TEST_CASE("an allocation beyond the limit throws what says how much is held, asked and allowed")
{
    struct seen {
        std::string said;
        std::size_t held = 0;
        std::size_t asked = 0;
        std::size_t limit = 0;
        std::size_t after = 1;
    };
    struct asking {
        static task<> run(int, seen& by)
        {
            {
                std::vector<char> some(60 * kib);
                try {
                    std::vector<char> more(50 * kib);
                    by.said = "it was not refused";
                } catch (const vk::memory_exhausted& e) {
                    by.held = e.held();
                    by.asked = e.asked();
                    by.limit = e.limit();
                }
                std::vector<char> less(30 * kib); // what is left is to be had
            }
            by.after = held();
            co_return;
        }
    };
    vk::test::quiet quiet;
    seen by;
    vk::counters count = run_limited(100 * kib, asking::run, by);
    CHECK(by.said.empty());
    CHECK(is_about(by.held, 0, 60 * kib));
    CHECK(by.asked == 50 * kib);
    CHECK(by.limit == 100 * kib);
    CHECK(by.after == 0);
    CHECK(count.allocations_refused == 1);
    CHECK(count.processes_failed == 0);
    CHECK(count.global_bytes_high_water <= 100 * kib);
}

TEST_CASE("every form of new is refused as its kind is: by an exception, or by null")
{
    struct forms {
        static task<> run(int, bool& good)
        {
            constexpr std::size_t much = 200 * kib;
            const std::align_val_t to{64};
            good = throws<vk::memory_exhausted>([] { return ::operator new(much); }) &&
                   throws<vk::memory_exhausted>([=] { return ::operator new(much, to); }) &&
                   throws<vk::memory_exhausted>([] { return ::operator new[](much); }) &&
                   throws<vk::memory_exhausted>([=] { return ::operator new[](much, to); }) &&
                   !::operator new(much, std::nothrow) && !::operator new(much, to, std::nothrow) &&
                   !::operator new[](much, std::nothrow) &&
                   !::operator new[](much, to, std::nothrow) && !vk::counted_malloc(much) &&
                   !vk::counted_aligned_alloc(64, much) && held() == 0;
            co_return;
        }
    };
    vk::test::quiet quiet;
    bool good = false;
    vk::counters count = run_limited(100 * kib, forms::run, good);
    CHECK(good);
    CHECK(count.allocations_refused == 10);
}

TEST_CASE("more than there is of memory or of addresses is a std::bad_alloc, not a refusal")
{
    struct absurd {
        static task<> run(int, bool& good)
        {
            static volatile std::size_t much = SIZE_MAX - 100;
            const std::align_val_t to{256};
            good = throws<std::bad_alloc>([] { return ::operator new(much); }) &&
                   throws<std::bad_alloc>([=] { return ::operator new(much, to); }) &&
                   !::operator new(much, std::nothrow) && !::operator new(much, to, std::nothrow);
            co_return;
        }
    };
    bool good = false;
    vk::counters count = run_limited(0, absurd::run, good);
    CHECK(good);
    CHECK(count.allocations_refused == 0);
}

TEST_CASE("a process that allocates without end fails alone, and the others are not refused a byte")
{
    struct greed {
        static task<> devour(int, std::vector<std::size_t>&)
        {
            std::vector<std::string> all;
            for (;;) {
                all.emplace_back(10 * kib, 'x');
                co_await vk::sleep_for(1ms);
            }
        }
        static task<> live(int, std::vector<std::size_t>& seen)
        {
            for (std::size_t step = 0; step < 20; ++step) {
                std::string text(80 * kib, 'y');
                if (text.find_first_not_of('y') != std::string::npos)
                    throw std::runtime_error("the text was altered");
                co_await vk::sleep_for(1ms);
            }
            seen.push_back(process::current().id());
        }
    };
    vk::test::quiet quiet;
    std::vector<std::size_t> seen;
    seen.reserve(4);
    fd_program<std::vector<std::size_t>> devouring(greed::devour, seen);
    fd_program<std::vector<std::size_t>> living(greed::live, seen);
    vk::kernel_options options = vk::test::kernel_options_here();
    options.global_bytes_max = 100 * kib;
    kernel_here here(options);
    REQUIRE(here->start(living));
    REQUIRE(here->start(devouring));
    REQUIRE(here->start(living));
    here->run();
    CHECK(seen.size() == 2);
    CHECK(here->count().processes_failed == 1);
    CHECK(here->count().allocations_refused == 1);
    CHECK(here->count().global_bytes_lost == 0); // it was unwound
}

TEST_CASE("the log says once of each process that it is refused, and how it ended")
{
    auto ended = in_child([] {
        struct asking {
            static task<> run(int, int& how_often)
            {
                for (int i = 0; i < how_often; ++i) {
                    try {
                        std::string much(2000, 'x');
                    } catch (const std::bad_alloc&) {
                    }
                }
                std::string too_much(3000, 'x');
                co_return;
            }
        };
        int often = 20;
        vk::kernel_options options = vk::test::kernel_options_here();
        options.global_bytes_max = 1000;
        fd_program<int> what(asking::run, often);
        vk::kernel::pointer here = vk::kernel::make(options);
        here->start(what);
        here->start(what);
        here->run();
        return here->count().allocations_refused == 42 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    const std::string said = "global memory of 1000 bytes exhausted: 0 held, ";
    for (std::string who : {"process 1 thread 1: ", "process 2 thread 1: "}) {
        std::size_t first = ended.said.find(who + said + "2000 more asked");
        // The string asks for its terminator too.
        if (first == std::string::npos)
            first = ended.said.find(who + said + "2001 more asked");
        REQUIRE(first != std::string::npos);
        CHECK(ended.said.find(who + said, first + 1) == std::string::npos);
        CHECK_THAT(ended.said, ContainsSubstring(who + "ended by " + said + "3001"));
    }
}

TEST_CASE("a process that has all it may have still learns of errors, and has its log lines")
{
    struct broke {
        static task<> run(int, std::string& told)
        {
            std::vector<char> all(90 * kib);
            std::size_t before = held();
            std::vector<char> rest(global_account::current->limit() - before - 100);
            try {
                vk::raise(ECONNRESET, "an operation with a name of some length");
            } catch (const vk::error& e) {
                told = e.code() == std::errc::connection_reset ? "reset" : "another";
            }
            try {
                (void)process::current().heap().take(1000);
            } catch (const vk::heap_exhausted&) {
                told += ", full";
            }
            std::string name(200, 'n');
            told += ", not refused";
            co_return;
        }
    };
    std::string told;
    told.reserve(100);
    vk::test::quiet quiet;
    vk::counters count = run_limited(100 * kib, broke::run, told);
    CHECK(told == "reset, full");
    CHECK(count.allocations_refused == 1);
    CHECK(count.global_bytes_lost == 0);
}

TEST_CASE("lines of the log are on no account")
{
    auto ended = in_child([] {
        struct talking {
            static task<> run(int, std::vector<std::size_t>& seen)
            {
                seen[0] = held();
                vk::log::warn("the first line of a program makes what writes it: {}",
                              std::string_view("................................................"));
                seen[1] = held();
                co_return;
            }
        };
        std::vector<std::size_t> seen(2, 1);
        vk::kernel_options options = vk::test::kernel_options_here();
        options.global_bytes_max = 1;
        fd_program<std::vector<std::size_t>> what(talking::run, seen);
        vk::kernel::pointer here = vk::kernel::make(options);
        here->start(what);
        here->run();
        const vk::counters& count = here->count();
        bool good = seen[0] == 0 && seen[1] == 0 && count.global_bytes_high_water == 0 &&
                    count.allocations_refused == 0;
        return good ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("process 1 thread 1: the first line"));
}

// --- the allocator ----------------------------------------------------------------------------------------

TEST_CASE("outside of an allocation no thread is inside of the allocator")
{
    CHECK_FALSE(vk::critical::entered());
    std::string text(1000, 'x');
    CHECK_FALSE(vk::critical::entered());
    std::string().swap(text);
    CHECK_FALSE(vk::critical::entered());
}

namespace {

volatile std::sig_atomic_t looks_inside = 0;
volatile std::sig_atomic_t looks_outside = 0;

void look(int)
{
    if (vk::critical::entered())
        looks_inside = looks_inside + 1;
    else
        looks_outside = looks_outside + 1;
}

} // namespace

TEST_CASE("a signal handler is told whether it interrupts the allocator")
{
    auto ended = in_child([] {
        std::signal(SIGVTALRM, look);
        const itimerval often{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_VIRTUAL, &often, nullptr); // of the time that this program computes
        while (looks_inside < 5)
            ::operator delete(::operator new(30)); // a pair of expressions could be optimised away
        looks_outside = 0;
        volatile unsigned spins = 0;
        while (looks_outside < 5)
            spins = spins + 1;
        return 0; // or SIGALRM ends it
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}
