#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/error_handler.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <string>
#include <vector>

using vk::answer;
using vk::error;
using vk::on_error;
using vk::raise_resumable;
using vk::run_local;
using vk::task;

namespace {

// Appends to what has room for `room`; goes on, with what it has, when somebody made more.
task<> append(std::vector<int>& to, std::size_t& room, int count)
{
    for (int i = 0; i < count; ++i) {
        while (to.size() >= room)
            co_await raise_resumable(std::errc::no_space_on_device, "append");
        to.push_back(i);
    }
}

task<std::string> failure_of(task<> what)
{
    try {
        co_await what;
    } catch (const error& e) {
        co_return e.what();
    }
    co_return "";
}

} // namespace

TEST_CASE("an error that nobody handles is thrown")
{
    run_local([]() -> task<> {
        std::vector<int> all;
        std::size_t room = 2;
        std::string why = co_await failure_of(append(all, room, 5));
        CHECK(why == "append: No space left on device");
        CHECK(all.size() == 2);
    });
}

TEST_CASE("a handler that puts it right has what raised it go on, with all of its state")
{
    run_local([]() -> task<> {
        std::vector<int> all;
        std::size_t room = 2;
        int asked = 0;
        on_error more([&](const error& e) {
            ++asked;
            room += 2;
            return e.code() == std::errc::no_space_on_device ? answer::resume : answer::decline;
        });
        co_await append(all, room, 5);
        CHECK(all == std::vector{0, 1, 2, 3, 4});
        CHECK(asked == 2);
    });
}

TEST_CASE("a handler may block before it answers")
{
    run_local([]() -> task<> {
        std::vector<int> all;
        std::size_t room = 0;
        auto grow = [&room](const error&) -> task<answer> {
            co_await vk::yield();
            room += 10;
            co_return answer::resume;
        };
        on_error more(grow);
        co_await append(all, room, 5);
        CHECK(all.size() == 5);
    });
}

TEST_CASE("the innermost handler is asked first, and leaves to those around it what it declines")
{
    run_local([]() -> task<> {
        std::string asked;
        on_error outer([&](const error&) {
            asked += "outer ";
            return answer::resume;
        });
        {
            on_error inner([&](const error&) {
                asked += "inner ";
                return answer::decline;
            });
            co_await raise_resumable(std::errc::io_error);
            CHECK(asked == "inner outer ");
        }
        co_await raise_resumable(std::errc::io_error);
        CHECK(asked == "inner outer outer ");
    });
}

TEST_CASE(
    "what a handler raises goes to those around it, and what it throws comes out of what raised")
{
    run_local([]() -> task<> {
        std::string asked;
        on_error outer([&](const error& e) {
            asked += e.code() == std::errc::io_error ? "io " : "space ";
            return answer::resume;
        });
        auto raising = [&](const error&) -> task<answer> {
            co_await raise_resumable(std::errc::no_space_on_device);
            co_return answer::decline;
        };
        {
            on_error inner(raising);
            co_await raise_resumable(std::errc::io_error);
            CHECK(asked == "space io ");
        }
        on_error throwing(
            [](const error&) -> answer { vk::raise(std::errc::bad_address, "handler"); });
        std::string why = co_await failure_of(raise_resumable(std::errc::io_error));
        CHECK(why == "handler: Bad address");
        why = co_await failure_of(raise_resumable(std::errc::io_error)); // and is asked again
        CHECK(why == "handler: Bad address");
    });
}

TEST_CASE("a handler is that of its own thread")
{
    run_local([]() -> task<> {
        struct other {
            static task<> run(std::string* why)
            {
                task<std::string> failing =
                    failure_of(raise_resumable(std::errc::io_error, "there"));
                *why = co_await std::move(failing);
            }
        };
        int asked = 0;
        on_error here([&](const error&) {
            ++asked;
            return answer::resume;
        });
        std::string why;
        vk::thread_handle one = vk::spawn(other::run, &why);
        co_await one.join();
        CHECK(why == "there: Input/output error");
        CHECK(asked == 0);
    });
}
