#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/gate.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/log.hpp>
#include <vk/base/refused_call.hpp>
#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace std::chrono_literals;
using vk::process;
using vk::syscall_gate;
using vk::task;
using vk::test::ending;
using vk::test::fd_program;
using vk::test::has_gate;
using vk::test::in_child;
using vk::test::kernel_here;
using vk::test::socket_pair;
using vk::test::socket_program;

namespace {

vk::kernel_options gated(syscall_gate how = syscall_gate::raise)
{
    vk::kernel_options made = vk::test::kernel_options_here();
    made.syscall_gate = how;
    return made;
}

struct seen {
    std::vector<int> refused;
    std::string said;
    int rounds = 0;
    int after = 0; // how often what follows a refused call was reached
    seen() { refused.reserve(100); }
};

void open_null()
{
    (void)::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

task<> open_and_go_on(vk::socket& io, seen& by)
{
    try {
        open_null();
        ++by.after;
    } catch (const vk::refused_call& e) {
        by.refused.push_back(e.number());
    }
    auto line = co_await io.readline();
    if (line)
        by.said = *line;
    co_await io.print("went on after {}\n", by.refused.size());
    try {
        std::this_thread::sleep_for(1ms);
        ++by.after;
    } catch (const vk::refused_call& e) {
        by.refused.push_back(e.number());
    }
}

task<> open_and_fail(int, seen& by)
{
    co_await vk::yield();
    open_null();
    ++by.after;
}

// What a service does all day, none of which is a system call of its own.
task<> behave(vk::socket& io, seen& by)
{
    for (by.rounds = 0; by.rounds < 50; ++by.rounds) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        std::vector<std::string> much(100, std::string(*line));
        co_await io.print("{} {}", much.size(), much.back());
        std::vector<char> large(10 << 20, 'x');
        by.after += large.back() == 'x';
        if (by.rounds % 10 == 0)
            co_await vk::sleep_for(1ms);
    }
}

task<> wait_and_log(int, seen& by)
{
    co_await vk::sleep_for(2ms);
    vk::log::warn("said by a process behind the gate");
    ++by.rounds;
}

task<> open_a_thousand_times(int, seen& by)
{
    for (int i = 0; i < 1000; ++i)
        try {
            open_null();
        } catch (const vk::refused_call&) {
            ++by.rounds;
        }
    co_return;
}

std::size_t lines_with(const std::string& text, const std::string& word)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
        ++count;
    return count;
}

} // namespace

TEST_CASE("a system call of a process is an exception in it, which it can catch, and go on")
{
    if (!has_gate())
        return;
    socket_pair pair;
    seen by;
    socket_program<seen> what(open_and_go_on, by);
    vk::counters count;
    {
        kernel_here here(gated());
        REQUIRE(here->start(what, pair.near.release()));
        REQUIRE(::write(pair.far.get(), "hello\n", 6) == 6);
        here->run();
        count = here->count();
    }
    CHECK(by.refused == std::vector<int>{SYS_openat, SYS_clock_nanosleep});
    CHECK(by.after == 0);
    CHECK(by.said == "hello\n");
    CHECK(vk::test::read_to_end(pair.far.get()) == "went on after 1\n");
    CHECK(count.refused_calls == 2);
    CHECK(count.processes_failed == 0);
}

TEST_CASE("without the gate the same calls are made")
{
    socket_pair pair;
    seen by;
    socket_program<seen> what(open_and_go_on, by);
    kernel_here here;
    REQUIRE(here->start(what, pair.near.release()));
    pair.far.reset();
    here->run();
    CHECK(by.after == 2);
    CHECK(here->count().refused_calls == 0);
}

TEST_CASE("a process that catches nothing ends, and no other notices")
{
    if (!has_gate())
        return;
    socket_pair pair;
    seen good;
    seen bad;
    socket_program<seen> behaving(behave, good);
    fd_program<seen> failing(open_and_fail, bad);
    ending ended = in_child([&] {
        kernel_here here(gated());
        here->start(behaving, pair.near.release());
        for (int i = 0; i < 20; ++i)
            here->start(failing);
        std::string lines;
        for (int i = 0; i < 50; ++i)
            lines += "line\n";
        if (::write(pair.far.get(), lines.data(), lines.size()) !=
            static_cast<ssize_t>(lines.size()))
            return 2;
        here->run();
        bool as_it_should = here->count().processes_failed == 20 &&
                            here->count().refused_calls == 20 && bad.after == 0 &&
                            good.rounds == 50 && good.after == 50;
        return as_it_should ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, ": openat(2) refused, ") == 16); // as many as a batch has room for
    CHECK(lines_with(ended.said, "4 more system calls refused\n") == 1);
    pair.near.reset();
    std::string answers = vk::test::read_to_end(pair.far.get());
    CHECK(lines_with(answers, "100 line\n") == 50);
}

TEST_CASE("nothing that the library does for a process is refused, nor what it logs")
{
    if (!has_gate())
        return;
    ending ended = in_child([] {
        seen by;
        fd_program<seen> what(wait_and_log, by);
        kernel_here here(gated());
        for (int i = 0; i < 5; ++i)
            here->start(what);
        here->run();
        return by.rounds == 5 && here->count().refused_calls == 0 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, "said by a process") == 5);
    CHECK(lines_with(ended.said, "refused") == 0);
}

TEST_CASE("calls that are refused again and again are a line, which says how often")
{
    if (!has_gate())
        return;
    ending ended = in_child([] {
        seen by;
        fd_program<seen> what(open_a_thousand_times, by);
        kernel_here here(gated());
        here->start(what);
        here->run();
        return by.rounds == 1000 && here->count().refused_calls == 1000 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, "\n") == 1);
    CHECK(ended.said.find("process 1 thread 1: openat(2) refused 1000 times") != std::string::npos);
}

TEST_CASE("by option a process that makes a system call ends where it is")
{
    if (!has_gate())
        return;
    struct stubborn {
        static task<> run(int, seen& by)
        {
            try {
                open_null();
            } catch (...) {
                by.said = "caught";
            }
            ++by.after;
            (void)!::write(STDERR_FILENO, "reached\n", 8);
            co_return;
        }
    };
    ending ended = in_child([] {
        seen by;
        seen neighbour;
        fd_program<seen> what(stubborn::run, by);
        fd_program<seen> other(wait_and_log, neighbour);
        kernel_here here(gated(syscall_gate::end));
        here->start(other);
        here->start(what);
        here->start(what);
        here->start(other);
        here->run();
        bool ended_alone = by.after == 0 && by.said.empty() && neighbour.rounds == 2;
        return ended_alone && here->count().refused_calls == 2 &&
                       here->count().processes_failed == 2
                   ? 0
                   : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(ended.said.find("reached") == std::string::npos);
    CHECK(lines_with(ended.said, "openat(2) refused") == 2);
    CHECK(lines_with(ended.said, "is dropped: failed: errno 1\n") == 2);
}

// localtime() looks at a file while it holds a lock that the log takes too, and would not let go of it for an exception.
TEST_CASE("a call within another function of the C library fails, and nothing stays locked")
{
    if (!has_gate())
        return;
    struct user_of_library {
        static task<> run(int, seen& by)
        {
            std::time_t now = 0;
            by.rounds += std::localtime(&now) != nullptr;
            std::FILE* file = std::fopen("/dev/null", "r");
            by.rounds += file == nullptr && errno == EPERM;
            co_await vk::sleep_for(1ms);
            ++by.after;
        }
    };
    for (auto how : {syscall_gate::raise, syscall_gate::end}) {
        ending ended = in_child([how] {
            ::unsetenv("TZ");
            seen by;
            seen neighbour;
            fd_program<seen> what(user_of_library::run, by);
            fd_program<seen> other(wait_and_log, neighbour);
            kernel_here here(gated(how));
            here->start(what);
            here->start(other);
            here->run();
            bool ends = how == syscall_gate::end;
            bool as_it_should = by.rounds == 2 && by.after == !ends && neighbour.rounds == 1 &&
                                here->count().processes_failed == (ends ? 1u : 0u) &&
                                here->count().refused_calls >= 2;
            return as_it_should ? 0 : 1;
        });
        INFO(ended.text());
        CHECK(ended.exited_with(0));
        CHECK(lines_with(ended.said, "said by a process") == 1);
        CHECK(lines_with(ended.said, "openat(2) refused") >= 1);
    }
}

TEST_CASE("a call of a function that throws nothing ends its process, and no other")
{
    if (!has_gate())
        return;
    struct without_exceptions {
        static void call() noexcept { open_null(); }
        static task<> run(int, seen& by)
        {
            try {
                call();
                ++by.after;
            } catch (const vk::refused_call&) {
                ++by.after;
            }
            co_return;
        }
    };
    ending ended = in_child([] {
        seen by;
        seen neighbour;
        fd_program<seen> what(without_exceptions::run, by);
        fd_program<seen> other(wait_and_log, neighbour);
        kernel_here here(gated());
        here->start(what);
        here->start(other);
        here->run();
        return by.after == 0 && neighbour.rounds == 1 && here->count().processes_failed == 1 ? 0
                                                                                             : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, "openat(2) refused") == 1);
}

TEST_CASE("faults and aborts behind the gate are what they are without it")
{
    if (!has_gate())
        return;
    struct faulty {
        static task<> run(int which, seen& by)
        {
            ++by.rounds;
            if (which < 0 && by.rounds == 2)
                std::abort();
            co_await vk::yield();
            *static_cast<volatile int*>(nullptr) = which;
        }
    };
    vk::test::quiet quiet;
    seen by;
    seen opening;
    fd_program<seen> what(faulty::run, by);
    fd_program<seen> other(open_a_thousand_times, opening);
    kernel_here here(gated());
    for (int i = 0; i < 3; ++i)
        here->start(what);
    here->start(other);
    here->run();
    CHECK(by.rounds == 3);
    CHECK(here->count().faults == 3);
    CHECK(here->count().processes_failed == 3);
    CHECK(opening.rounds == 1000);
}

TEST_CASE("the gate is open again when the kernel has run")
{
    if (!has_gate())
        return;
    seen by;
    fd_program<seen> what(open_a_thousand_times, by);
    vk::test::quiet quiet;
    kernel_here here(gated());
    for (int i = 0; i < 3; ++i) {
        here->start(what);
        here->run();
        int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        CHECK(::close(fd) == 0);
    }
    CHECK(here->count().refused_calls == 3000);
}
