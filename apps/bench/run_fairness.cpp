// vk-bench fairness: how long a client waits for others that never stop asking.
//
// Polite connections ask in an open loop, at a rate that is a small part of what the server can do;
// beside them are hogs, each of which keeps the server's buffers full. The baseline of a server is
// itself without hogs. A server that serves a connection for as long as it has input answers
// nobody else: what has no answer when the run ends counts with its age, so that latencies are as
// long as the run.

#include "bench/hogs.hpp"
#include "bench/in_turn.hpp"
#include "bench/line_up.hpp"
#include "bench/load.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"
#include "bench/sample.hpp"
#include "bench/server.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vk::bench {

namespace {

struct sample {
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0, p9999 = 0, max = 0; // microseconds
    double per_second = 0;
    double hogs = 0; // requests a second, of all of them
    double busy = 0; // of the server, percent
    double turn = 0; // of the load generator, microseconds
};

// A server, and its samples beside each number of hogs, by its place in the options.
struct entry {
    const participant* subject;
    std::vector<std::vector<sample>> beside;
    std::string failure;
};

sample measure(const participant& who, int hogs_count, double rate, const fairness_options& options)
{
    const server subject(who, options.cores.server);
    load polite(subject.at(), options.kind, options.connections, dialogue::batch_max);
    hogs greedy(subject.at(), polite.words(), hogs_count);
    const load_result result = polite.offer(rate, {options.warm_up_s, options.seconds}, &greedy);
    const auto us = [](const histogram& of, double fraction) {
        return static_cast<double>(of.at(fraction)) / 1e3;
    };
    const auto& latency = result.latency;
    return {us(latency, 0.5),      us(latency, 0.9),    us(latency, 0.99),
            us(latency, 0.999),    us(latency, 0.9999), us(latency, 1),
            result.per_second(),   greedy.per_second(), 100 * result.server_busy(),
            us(result.turn, 0.999)};
}

std::string name(int hogs_count)
{
    return hogs_count == 0 ? "no hog"
                           : fmt::format("{} hog{}", hogs_count, hogs_count == 1 ? "" : "s");
}

void add_rows(const entry& subject, double rate, const fairness_options& options, report& into)
{
    for (std::size_t i = 0; i < options.hogs.size(); ++i) {
        const auto& samples = subject.beside[i];
        const auto middle = [&](double sample::* member) {
            return median(column(samples, member));
        };
        row r;
        r.group = fmt::format("{}: {} connections, {:.0f} {}s/s", subject.subject->label,
                              options.connections, rate, unit_of(options.kind.spoken));
        r.name = name(options.hogs[i]);
        r.baseline = name(options.hogs.front());
        r.unit = "p99 us";
        r.decimals = 1;
        r.failure = subject.failure;
        r.samples = column(samples, &sample::p99);
        r.value = median(r.samples);
        r.ratio = paired_ratio(r.samples, column(subject.beside.front(), &sample::p99));
        r.more = {
            {"p50 us", middle(&sample::p50), 1},    {"p90 us", middle(&sample::p90), 1},
            {"p99.9 us", middle(&sample::p999), 1}, {"p99.99 us", middle(&sample::p9999), 1},
            {"max us", middle(&sample::max), 0},    {"answered/s", middle(&sample::per_second), 0},
            {"hogs/s", middle(&sample::hogs), 0},   {"busy %", middle(&sample::busy), 0},
            {"turn us", middle(&sample::turn), 1}};
        into.add(r);
    }
}

// What the rate is a part of: what the baseline can do in a closed loop.
double able(const participant& baseline, const fairness_options& options)
{
    if (!baseline.failure.empty())
        throw std::runtime_error(fmt::format("{}: {}", baseline.label, baseline.failure));
    const server subject(baseline, options.cores.server);
    load clients(subject.at(), options.kind, options.connections, 1);
    return clients.closed_loop({options.warm_up_s, 0.5}).per_second();
}

} // namespace

void run_fairness(const fairness_options& options, report& into)
{
    pin(options.cores.load);
    const int most = *std::max_element(options.hogs.begin(), options.hogs.end());
    allow_files(static_cast<unsigned>(options.connections + most) + 64);
    const line_up servers(options.kind.spoken, options.servers);
    into.note(servers.notes());
    const double rate =
        is_part(options.rate) ? options.rate * able(servers.all().front(), options) : options.rate;
    std::vector<entry> entries;
    for (const auto& each : servers.all())
        entries.push_back({&each, {options.hogs.size(), std::vector<sample>{}}, each.failure});
    in_turn(options.rounds, entries, [&](entry& each) {
        for (std::size_t i = 0; i < options.hogs.size(); ++i)
            each.beside[i].push_back(measure(*each.subject, options.hogs[i], rate, options));
    });
    for (const auto& each : entries)
        add_rows(each, rate, options, into);
}

} // namespace vk::bench
