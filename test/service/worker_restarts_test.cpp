#include "support/catch.hpp"

#include <vk/service/worker_restarts.hpp>

using vk::nanoseconds;
using vk::never;
using vk::worker_restart_policy;
using vk::worker_restarts;

namespace {

constexpr nanoseconds ms = 1'000'000;

constexpr worker_restart_policy policy{.pause_ms_first = 50,
                                       .pause_ms_max = 300,
                                       .well_ms = 1'000,
                                       .restarts_max = 8,
                                       .period_ms = 10'000};

// The pause after an end at `now`, in milliseconds; -1 when the worker is given up.
nanoseconds pause_after(worker_restarts& its, nanoseconds now)
{
    nanoseconds at = its.ended(now * ms);
    return at == never ? -1 : at / ms - now;
}

} // namespace

TEST_CASE("a worker comes back at once, then after pauses that double up to the greatest")
{
    worker_restarts its(policy);
    nanoseconds now = 5'000;
    for (nanoseconds pause : {0, 50, 100, 200, 300, 300}) {
        CHECK(pause_after(its, now) == pause);
        now += pause + 10;
    }
}

TEST_CASE("a worker that served for long enough comes back at once again, one that did not waits")
{
    worker_restarts its(policy);
    CHECK(pause_after(its, 0) == 0);
    its.serves(10 * ms);
    CHECK(pause_after(its, 1'009) == 50); // served for 999 ms
    its.serves(1'100 * ms);
    CHECK(pause_after(its, 2'100) == 0); // for 1000
    CHECK(pause_after(its, 2'200) == 50);
}

TEST_CASE("a worker that took long to start and never served is not taken for well")
{
    worker_restarts its(policy);
    its.serves(0);
    CHECK(pause_after(its, 2'000) == 0);
    CHECK(pause_after(its, 4'000) == 50); // the one before has served, not this one
    CHECK(pause_after(its, 9'000) == 100);
}

TEST_CASE("a worker that needs more restarts within the period than there may be is given up")
{
    worker_restarts its(policy);
    for (nanoseconds n = 0; n < 8; ++n) {
        its.serves(n * 1'200 * ms);
        CHECK(pause_after(its, n * 1'200 + 1'100) == 0);
    }
    CHECK(pause_after(its, 9'600) == -1);
}

TEST_CASE("restarts that are longer ago than the period do not count")
{
    worker_restarts its(policy);
    for (nanoseconds n = 0; n < 100; ++n) {
        its.serves(n * 1'250 * ms); // 8 in each 10 seconds
        CHECK(pause_after(its, n * 1'250 + 1'100) == 0);
    }
}

TEST_CASE("no restart allowed is a worker that is given up when it ends")
{
    worker_restart_policy none = policy;
    none.restarts_max = 0;
    worker_restarts its(none);
    CHECK(pause_after(its, 100) == -1);
}

TEST_CASE("by the limits of the library a worker that dies at once is given up in a minute")
{
    worker_restarts its{worker_restart_policy{}};
    nanoseconds now = 0;
    int restarts = 0;
    for (nanoseconds at = its.ended(now); at != never; at = its.ended(now)) {
        now = at;
        ++restarts;
    }
    CHECK(restarts == 30);
    CHECK(now > 40'000 * ms);
    CHECK(now < 60'000 * ms);
}
