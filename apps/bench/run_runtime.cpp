// vk-bench runtime: whole programs on one thread, as suites that compare runtimes have them.
//
// Each run of each program is by a process of its own, so that its memory is of that program alone. The contestants
// are measured in turn.

#include "bench/fresh_process.hpp"
#include "bench/in_turn.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"
#include "bench/runtime.hpp"
#include "bench/sample.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr unsigned seconds_max = 60; // of one run

/// How the figures of a topic are told, and what they are to be of our own.
struct telling {
    bool per_second = false; // else nanoseconds for each
    std::optional<goal> ns;
    std::optional<goal> resident_mb;
};

struct entry {
    subject who;
    std::vector<double> figures; // nanoseconds for one, or so many a second
    std::vector<double> resident_mb;
    std::string failure;
};

row to_row(const topic& of, const entry& each, const entry& baseline, const telling& how)
{
    const bool ours = each.who.name == "vk";
    row r;
    r.group = of.name;
    r.name = each.who.name;
    r.baseline = baseline.who.name;
    r.unit = how.per_second ? "round trips/s" : "ns";
    r.decimals = how.per_second ? 0 : 2;
    r.more_is_better = how.per_second;
    r.failure = each.failure;
    r.samples = each.figures;
    r.value = median(r.samples);
    r.ratio = paired_ratio(r.samples, baseline.figures);
    r.more = {{"resident MB", median(each.resident_mb), 1}};
    if (ours) {
        r.value_goal = how.ns;
        r.more.back().wanted = how.resident_mb;
    }
    return r;
}

void run_topic(const topic& of, const telling& how, const runtime_options& options, report& into)
{
    std::vector<entry> entries;
    for (const auto& each : of.subjects)
        entries.push_back({each, {}, {}, {}});
    const auto n = static_cast<double>(of.operations);
    in_turn(options.rounds, entries, [&](entry& each) {
        const auto came = in_fresh_process(each.who.run, of.operations, options.core, seconds_max);
        each.figures.push_back(how.per_second ? n / came.ns * 1e9 : came.ns / n);
        each.resident_mb.push_back(came.peak_bytes / 1e6);
    });
    for (const auto& each : entries)
        into.add(to_row(of, each, entries.front(), how));
}

struct told_topic {
    topic what;
    telling how;
};

std::vector<told_topic> all_topics(const runtime_options& options)
{
    std::vector<told_topic> all{
        {skynet_topic(), {false, goal{goal::side::at_most, 60}, goal{goal::side::at_most, 20}}}};
    for (auto& each : channel_topics(static_cast<std::uint64_t>(options.values)))
        all.push_back({std::move(each), {}});
    for (const int connections : options.connections)
        all.push_back(
            {ping_pong_topic(connections, static_cast<std::uint64_t>(options.round_trips)),
             {true, {}, {}}});
    return all;
}

} // namespace

void run_runtime(const runtime_options& options, report& into)
{
    const int most = *std::max_element(options.connections.begin(), options.connections.end());
    allow_files(2 * static_cast<unsigned>(most) + 64);
    bool found = false;
    for (const auto& each : all_topics(options)) {
        if (each.what.name.find(options.filter) == std::string::npos)
            continue;
        found = true;
        if (options.list)
            fmt::print("{}\n", each.what.name);
        else
            run_topic(each.what, each.how, options, into);
    }
    if (!found)
        throw std::invalid_argument(fmt::format("no topic's name contains '{}'", options.filter));
}

} // namespace vk::bench
