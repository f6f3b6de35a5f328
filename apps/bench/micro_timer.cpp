// A million timers: set them, cancel them in another order, or let them expire in the order of
// their time.

#include "bench/micro.hpp"

#include "vk/proc/timers.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <utility>
#include <vector>

namespace vk::bench {

namespace {

constexpr std::uint64_t timer_count = 1'000'000;

using deadlines = std::vector<std::int64_t>;

/// The same pseudo-random deadlines for all.
const deadlines& when()
{
    static const deadlines all = [] {
        std::mt19937_64 random(1);
        deadlines result(timer_count);
        for (auto& each : result)
            each = static_cast<std::int64_t>(random() >> 24);
        return result;
    }();
    return all;
}

/// The order of cancelling: another one than that of setting and of expiring.
const std::vector<std::uint32_t>& shuffled()
{
    static const std::vector<std::uint32_t> all = [] {
        std::vector<std::uint32_t> result(timer_count);
        for (std::uint32_t i = 0; i < timer_count; ++i)
            result[i] = i;
        std::shuffle(result.begin(), result.end(), std::mt19937_64(2));
        return result;
    }();
    return all;
}

enum class part { insert, cancel, expire };

template <class Work>
std::int64_t timed(Work work)
{
    const std::int64_t began = now_ns();
    work();
    return now_ns() - began;
}

std::int64_t run_multimap(std::uint64_t n, part which)
{
    std::multimap<std::int64_t, std::uint64_t> tree;
    std::vector<std::multimap<std::int64_t, std::uint64_t>::iterator> places(n);
    const auto inserted = timed([&] {
        for (std::uint64_t i = 0; i < n; ++i)
            places[i] = tree.emplace(when()[i], i);
    });
    if (which == part::insert)
        return inserted;
    return timed([&] {
        if (which == part::cancel)
            for (const auto i : shuffled())
                tree.erase(places[i]);
        while (!tree.empty())
            tree.erase(tree.begin());
    });
}

// A binary heap cannot cancel: it marks, and skips what is marked when it comes to the top.
std::int64_t run_queue(std::uint64_t n, part which)
{
    using entry = std::pair<std::int64_t, std::uint32_t>;
    std::priority_queue<entry, std::vector<entry>, std::greater<>> queue;
    std::vector<char> cancelled(n);
    const auto inserted = timed([&] {
        for (std::uint32_t i = 0; i < n; ++i)
            queue.emplace(when()[i], i);
    });
    if (which == part::insert)
        return inserted;
    std::uint64_t expired = 0;
    const auto rest = timed([&] {
        if (which == part::cancel)
            for (const auto i : shuffled())
                cancelled[i] = 1;
        for (; !queue.empty(); queue.pop())
            expired += cancelled[queue.top().second] == 0;
    });
    keep(expired);
    return rest;
}

std::int64_t run_timers(std::uint64_t n, part which)
{
    std::vector<timer> nodes(n);
    timers tree;
    const auto inserted = timed([&] {
        for (std::uint64_t i = 0; i < n; ++i)
            tree.arm(nodes[i], when()[i]);
    });
    if (which == part::insert)
        return inserted;
    std::uint64_t expired = 0;
    const auto rest = timed([&] {
        if (which == part::cancel)
            for (const auto i : shuffled())
                tree.disarm(nodes[i]);
        while (tree.expire(never - 1) != nullptr)
            ++expired;
    });
    keep(expired);
    return rest;
}

using run_part = std::int64_t (*)(std::uint64_t, part);

timing only(run_part run, part which)
{
    return [run, which](std::uint64_t n) { return run(n, which); };
}

topic about(const char* name, part which)
{
    return {name,
            {{"std::multimap", only(run_multimap, which)},
             {"vk::timers", only(run_timers, which)},
             {"std::priority_queue", only(run_queue, which)}},
            timer_count};
}

} // namespace

topics timer_topics()
{
    return {
        about("timer insert, a million", part::insert),
        about("timer cancel, a million", part::cancel),
        about("timer expire, a million", part::expire),
    };
}

} // namespace vk::bench
