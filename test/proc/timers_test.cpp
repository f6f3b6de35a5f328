#include "support/catch.hpp"
#include "support/random.hpp"

#include <vk/proc/timers.hpp>

#include <deque>
#include <iterator>
#include <map>
#include <vector>

using vk::nanoseconds;
using vk::never;
using vk::timer;
using vk::timers;

TEST_CASE("without timers the next deadline is never, and nothing expires")
{
    timers all;
    CHECK(all.empty());
    CHECK(all.next() == never);
    CHECK(all.expire(never) == nullptr);
}

TEST_CASE("a timer expires at its deadline, not before, and once")
{
    timers all;
    timer one;
    all.arm(one, 100);
    CHECK(one.armed());
    CHECK(all.next() == 100);
    CHECK(all.expire(99) == nullptr);
    CHECK(one.armed());
    CHECK(all.expire(100) == &one);
    CHECK_FALSE(one.armed());
    CHECK(all.expire(100) == nullptr);
    CHECK(all.empty());
}

TEST_CASE("timers expire in the order of their deadlines, equal ones in the order of arming")
{
    timers all;
    timer a;
    timer b;
    timer c;
    timer d;
    all.arm(a, 30);
    all.arm(b, 10);
    all.arm(c, 30);
    all.arm(d, 20);
    std::vector<timer*> order;
    while (timer* due = all.expire(50))
        order.push_back(due);
    CHECK(order == std::vector<timer*>{&b, &d, &a, &c});
}

TEST_CASE("a timer that is disarmed or destroyed does not expire")
{
    timers all;
    timer kept;
    timer disarmed;
    {
        timer gone;
        all.arm(gone, 1);
        all.arm(disarmed, 2);
        all.arm(kept, 3);
    }
    all.disarm(disarmed);
    CHECK(all.next() == 3);
    CHECK(all.expire(10) == &kept);
    CHECK(all.expire(10) == nullptr);
}

TEST_CASE("a timer can be armed again")
{
    timers all;
    timer one;
    all.arm(one, 5);
    all.disarm(one);
    all.arm(one, 9);
    CHECK(all.next() == 9);
    CHECK(all.expire(5) == nullptr);
    CHECK(all.expire(9) == &one);
    all.arm(one, 1);
    CHECK(all.expire(1) == &one);
}

TEST_CASE("random arming, disarming and expiry match a std::multimap", "[property]")
{
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    vk::test::dice dice(seed);

    timers all;
    std::deque<timer> nodes(300);
    // Equal keys keep the order of insertion in a std::multimap.
    std::multimap<nanoseconds, timer*> model;
    nanoseconds now = 0;
    std::size_t expired = 0;

    auto forget = [&model](timer& one) {
        for (auto at = model.begin(); at != model.end(); ++at) {
            if (at->second == &one) {
                model.erase(at);
                return;
            }
        }
        FAIL("not in the model");
    };

    for (int step = 0; step < 30'000; ++step) {
        timer& one = nodes[dice.below(nodes.size())];
        switch (dice.below(4)) {
        case 0:
        case 1:
            if (!one.armed()) {
                // Few different deadlines, so that many are equal.
                nanoseconds deadline = now + static_cast<nanoseconds>(dice.below(40));
                all.arm(one, deadline);
                model.emplace(deadline, &one);
            }
            break;
        case 2:
            if (one.armed()) {
                all.disarm(one);
                forget(one);
            }
            break;
        default:
            now += static_cast<nanoseconds>(dice.below(5));
            while (timer* due = all.expire(now)) {
                REQUIRE_FALSE(model.empty());
                REQUIRE(model.begin()->second == due);
                REQUIRE(model.begin()->first <= now);
                model.erase(model.begin());
                ++expired;
            }
            REQUIRE((model.empty() || model.begin()->first > now));
        }
        REQUIRE(all.empty() == model.empty());
        REQUIRE(all.next() == (model.empty() ? never : model.begin()->first));
    }
    CHECK(expired > 1000);
}
