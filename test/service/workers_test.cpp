#include "support/catch.hpp"
#include "support/child.hpp"

#include <vk/service/workers.hpp>

#include <csignal>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using vk::counters;
using vk::test::ending;
using vk::test::in_child;

// In children: run_workers() forks, and blocks signals for good.

namespace {

using ready_function = std::function<void()>;

// Waits for SIGTERM, which the crew has blocked, as a kernel would.
void wait_for_term()
{
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    int number = 0;
    ::sigwait(&wanted, &number);
}

} // namespace

TEST_CASE("every worker runs, all are announced once, and what they counted adds up")
{
    ending ended = in_child([] {
        int announced = 0;
        counters total;
        auto work = [](const ready_function& ready, counters& own) {
            own.reads = 10;
            own.heap_pages_high_water = 3;
            ready();
            wait_for_term();
            own.writes = 1;
            return 0;
        };
        auto announce = [&announced] {
            ++announced;
            ::kill(::getpid(), SIGTERM); // the parent passes it on
        };
        int status = vk::run_workers(4, work, announce, total);
        if (announced != 1 || status != 0)
            return 1;
        return total.reads == 40 && total.writes == 4 && total.heap_pages_high_water == 3 ? 0 : 2;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(ended.said.empty());
}

TEST_CASE("a worker that fails takes the others with it, in good order, and is reported")
{
    ending ended = in_child([] {
        counters total;
        int token[2]; // one byte in a pipe: who reads it fails
        if (::pipe2(token, O_NONBLOCK) != 0 || ::write(token[1], "x", 1) != 1)
            return 2;
        auto work = [&](const ready_function& ready, counters& own) {
            ready();
            char byte;
            if (::read(token[0], &byte, 1) == 1)
                return 7;
            wait_for_term();
            own.writes = 1;
            return 0;
        };
        int status = vk::run_workers(3, work, [] {}, total);
        return status == 1 && total.writes == 2 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("ended with status 7"));
}

TEST_CASE("an exception of a worker is a line and a failure")
{
    ending ended = in_child([] {
        counters total;
        auto work = [](const ready_function&, counters&) -> int {
            throw std::runtime_error("no such luck");
        };
        return vk::run_workers(1, work, [] {}, total) == 1 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("no such luck"));
}

TEST_CASE("a worker that is killed is reported with the signal")
{
    ending ended = in_child([] {
        counters total;
        auto work = [](const ready_function&, counters&) -> int {
            std::signal(SIGKILL, SIG_DFL);
            ::kill(::getpid(), SIGKILL);
            return 0;
        };
        return vk::run_workers(2, work, [] {}, total) == 1 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("was ended by signal 9"));
}

TEST_CASE("a worker that ends before it was told to is a failure")
{
    ending ended = in_child([] {
        counters total;
        auto work = [](const ready_function& ready, counters&) {
            ready();
            return 0;
        };
        return vk::run_workers(2, work, [] {}, total) == 1 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("ended early"));
}
