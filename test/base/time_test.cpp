#include "support/catch.hpp"

#include <vk/base/os.hpp>
#include <vk/base/time.hpp>

#include <chrono>
#include <limits>

using vk::after;
using vk::nanoseconds;
using vk::never;

TEST_CASE("a span after a point is their sum")
{
    CHECK(after(0, 0) == 0);
    CHECK(after(5, 0) == 5);
    CHECK(after(5, 7) == 12);
    CHECK(after(5, -3) == 2);
    CHECK(after(never, -1) == never - 1);
}

TEST_CASE("a point too far away is never")
{
    CHECK(after(1, never) == never);
    CHECK(after(never, 1) == never);
    CHECK(after(never, never) == never);
    CHECK(after(never - 10, 10) == never);
    CHECK(after(never - 10, 11) == never);
}

TEST_CASE("the last point before never is not never")
{
    CHECK(after(never - 10, 9) == never - 1);
    CHECK(after(0, never - 1) == never - 1);
}

TEST_CASE("the clock of deadlines goes on, on the scale of the system's")
{
    nanoseconds before = vk::os::now();
    vk::clock::time_point between = vk::clock::now();
    nanoseconds behind = vk::os::now();
    CHECK(before <= between.time_since_epoch().count());
    CHECK(between.time_since_epoch().count() <= behind);

    while (vk::os::now() == behind) {}
    CHECK(vk::clock::now() > between);
    CHECK(vk::clock::is_steady);
}

TEST_CASE("a sleep lasts until its deadline")
{
    nanoseconds deadline = after(vk::os::now(), 2'000'000);
    CHECK(vk::os::sleep_until(deadline) == 0);
    CHECK(vk::os::now() >= deadline);

    // One that has passed, or was never on this clock, does not wait.
    nanoseconds begin = vk::os::now();
    CHECK(vk::os::sleep_until(begin - 1) == 0);
    CHECK(vk::os::sleep_until(std::numeric_limits<nanoseconds>::min()) == 0);
    CHECK(vk::os::now() - begin < 1'000'000'000);
}
