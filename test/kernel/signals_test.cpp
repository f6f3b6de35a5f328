#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/signals.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <csignal>

#include <unistd.h>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vk::task;
using vk::test::ending;
using vk::test::fd_program;
using vk::test::in_child;
using vk::test::socket_pair;
using vk::test::socket_program;

// In children: signals are blocked and ignored for good.

namespace {

struct seen {
    int number = 0;
    bool ended = false;
};

task<> read_on(vk::socket& io, seen& by)
{
    auto line = co_await io.readline();
    by.ended = !line;
}

task<> send_signal(int, seen& by)
{
    co_await vk::sleep_for(2ms);
    ::kill(::getpid(), by.number);
}

ending drain_by(int number)
{
    return in_child([number] {
        socket_pair fds;
        seen by{number};
        socket_program<seen> reading(read_on, by);
        fd_program<seen> sending(send_signal, by);
        vk::kernel_options options = vk::test::kernel_options_here();
        options.drain_ms = 60'000;
        vk::kernel::pointer here = vk::kernel::make(options);
        vk::drain_on_signals(*here);
        here->start(reading, fds.near.release());
        here->start(sending);
        here->run();
        return by.ended && here->processes() == 1 ? 0 : 1; // the daemon is left
    });
}

} // namespace

TEST_CASE("SIGTERM and SIGINT drain the kernel, with a line in the log")
{
    ending ended = drain_by(SIGTERM);
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("SIGTERM"));

    ended = drain_by(SIGINT);
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("SIGINT"));
}

TEST_CASE("other signals have their usual effect")
{
    ending ended = drain_by(SIGUSR1);
    CHECK(ended.killed_by(SIGUSR1));
}

TEST_CASE("a kernel that watches signals does not die by SIGPIPE")
{
    struct writer {
        static task<> run(int fd, seen& by)
        {
            vk::descriptor at(fd); // of no known kind: written by write(2)
            vk::socket io(at, at);
            try {
                co_await io.write("x");
                co_await io.flush();
            } catch (const vk::error& e) {
                by.number = e.code().value();
            }
        }
    };
    ending ended = in_child([] {
        socket_pair fds;
        fds.far.reset();
        seen by;
        fd_program<seen> writing(writer::run, by);
        vk::kernel::pointer here = vk::kernel::make(vk::test::kernel_options_here());
        vk::drain_on_signals(*here);
        here->start(writing, fds.near.release());
        here->run();
        return by.number;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(EPIPE));
}

TEST_CASE("the signal process does not keep the kernel running")
{
    ending ended = in_child([] {
        vk::kernel::pointer here = vk::kernel::make(vk::test::kernel_options_here());
        vk::drain_on_signals(*here);
        here->run();
        return 0;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}
