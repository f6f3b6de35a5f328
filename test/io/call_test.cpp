#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"

#include <vk/base/error.hpp>
#include <vk/io/call.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <cerrno>
#include <chrono>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

using namespace std::chrono_literals;
using vk::process;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::fd_program;
using vk::test::kernel_here;
using vk::test::unique_fd;

namespace {

int calls = 0;

// The count of an eventfd, which is then 0.
int take_count(int fd) noexcept
{
    ++calls;
    std::uint64_t count = 0;
    return ::read(fd, &count, sizeof(count)) < 0 ? -errno : static_cast<int>(count);
}

int fail(int) noexcept
{
    return -EPROTO;
}

unique_fd event()
{
    calls = 0;
    return unique_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void give(int fd, std::uint64_t count)
{
    CHECK(::write(fd, &count, sizeof(count)) == sizeof(count));
}

struct seen {
    int give_to = -1;
    std::vector<int> results;
    bool cancelled = false;
};

// Takes the counts of its fd until one is an error.
task<> take_all(int fd, seen& by)
{
    vk::descriptor at(fd);
    vk::wait_list readers;
    at.readers = &readers;
    for (;;) {
        int result = co_await vk::call(at, take_count, "take");
        by.results.push_back(result);
        if (result < 0)
            co_return;
    }
}

} // namespace

TEST_CASE("a call is made again when its fd is ready, until it does not say EAGAIN")
{
    struct giver {
        static task<> run(int, seen& by)
        {
            for (std::uint64_t count : {3u, 4u}) {
                co_await vk::sleep_for(2ms);
                give(by.give_to, count);
            }
            co_await vk::sleep_for(2ms);
            process::current().shared().requests.leave({vk::request::verb::drain});
        }
    };
    unique_fd fd = event();
    unique_fd copy(::dup(fd.get()));
    seen by;
    by.give_to = copy.get();
    fd_program<seen> taking(take_all, by);
    fd_program<seen> giving(giver::run, by);
    kernel_here here;
    here->start(taking, fd.release());
    here->start(giving);
    here->run();
    CHECK(by.results == std::vector<int>{3, 4, -ESHUTDOWN});
    CHECK(here->count().eagain >= 1);
    CHECK(calls <= 6); // it is not called while nothing has come
}

TEST_CASE("a call that can be served does not wait")
{
    struct taker {
        static task<> run(int fd, seen& by)
        {
            vk::descriptor at(fd);
            vk::wait_list readers;
            at.readers = &readers;
            int result = co_await vk::call(at, take_count, "take");
            by.results.push_back(result);
        }
    };
    unique_fd fd = event();
    give(fd.get(), 9);
    seen by;
    fd_program<seen> taking(taker::run, by);
    kernel_here here;
    here->start(taking, fd.release());
    here->run();
    CHECK(by.results == std::vector<int>{9});
    CHECK(calls == 1);
    CHECK(here->count().dispatches == 1);
    CHECK(here->count().registrations == 0);
}

TEST_CASE("an error of a call is its result")
{
    struct taker {
        static task<> run(int fd, seen& by)
        {
            vk::descriptor at(fd);
            vk::wait_list readers;
            at.readers = &readers;
            int result = co_await vk::call(at, fail, "fail");
            by.results.push_back(result);
        }
    };
    unique_fd fd = event();
    seen by;
    fd_program<seen> taking(taker::run, by);
    kernel_here here;
    here->start(taking, fd.release());
    here->run();
    CHECK(by.results == std::vector<int>{-EPROTO});
}

TEST_CASE("a process that drains makes no more calls")
{
    unique_fd fd = event();
    give(fd.get(), 1);
    seen by;
    fd_program<seen> taking(take_all, by);
    kernel_here here;
    here->drain();
    here->start(taking, fd.release());
    here->run();
    CHECK(by.results == std::vector<int>{-ESHUTDOWN});
    CHECK(calls == 0);
}

TEST_CASE("waiting for a call ends early by cancellation")
{
    struct canceller {
        static task<> take(int fd, seen* by)
        {
            vk::descriptor at(fd);
            vk::wait_list readers;
            at.readers = &readers;
            try {
                int result = co_await vk::call(at, take_count, "take");
                by->results.push_back(result);
            } catch (const vk::cancelled& e) {
                by->cancelled = true;
                CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("take"));
            }
        }
        static task<> run(int fd, seen& by)
        {
            thread_handle one = spawn(take, fd, &by);
            co_await vk::sleep_for(2ms);
            CHECK_FALSE(one.ended());
            one.cancel();
            co_await one.join();
        }
    };
    unique_fd fd = event();
    seen by;
    fd_program<seen> taking(canceller::run, by);
    kernel_here here;
    here->start(taking, fd.release());
    here->run();
    CHECK(by.cancelled);
    CHECK(by.results.empty());
}
