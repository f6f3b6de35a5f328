// vk-bench echo: throughput and latency of each server, in turn, for each case.
//
// A sample is a fresh server and fresh connections, so that a lucky or unlucky layout of memory is
// one sample, not the whole result. `busy` says how much of its core the server used: well below
// 100 %, the load generator was the limit, and `server ns` (CPU time a line) tells the servers
// apart where throughput cannot.

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
    double lines_per_second = 0;
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0, p9999 = 0, max = 0; // microseconds
    double server_ns = 0;
    double busy = 0;
};

struct entry {
    std::string name;
    std::vector<sample> samples;
    std::string failure;
};

struct test_case {
    int connections;
    int depth;
    double rate; // 0: closed loop
};

sample summary(const load_result& result)
{
    const auto us = [&](double fraction) {
        return static_cast<double>(result.latency.at(fraction)) / 1e3;
    };
    return {result.lines_per_second(),
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            us(0.9999),
            us(1),
            result.server_ns_per_line(),
            100 * result.server_busy()};
}

sample measure(const std::string& name, const test_case& test, const echo_options& options,
               double seconds)
{
    server subject(name, options.cores.server);
    load clients(subject.at(), test.connections, test.depth);
    clients.spin(options.spin);
    const span_of_time time{options.warm_up_s, seconds};
    return summary(test.rate > 0 ? clients.open_loop(test.rate, time) : clients.closed_loop(time));
}

row to_row(const entry& subject, const entry& baseline, const test_case& test)
{
    row r;
    r.group =
        test.rate > 0
            ? fmt::format("open loop, {} connections, {:.0f} lines/s", test.connections, test.rate)
            : fmt::format("{} connections, {} in flight", test.connections, test.depth);
    r.name = label(subject.name);
    r.baseline = label(baseline.name);
    r.unit = "lines/s";
    r.more_is_better = true;
    r.failure = subject.failure;
    r.samples = column(subject.samples, &sample::lines_per_second);
    r.value = median(r.samples);
    r.ratio = paired_ratio(r.samples, column(baseline.samples, &sample::lines_per_second));
    const auto middle = [&](double sample::* member) {
        return median(column(subject.samples, member));
    };
    const auto ratio = [&](double sample::* member) {
        return paired_ratio(column(subject.samples, member), column(baseline.samples, member));
    };
    r.more = {
        {"p50 us", middle(&sample::p50), 1},        {"p90 us", middle(&sample::p90), 1},
        {"p99 us", middle(&sample::p99), 1},        {"p99 ratio", ratio(&sample::p99), 3},
        {"p99.9 us", middle(&sample::p999), 1},     {"p99.99 us", middle(&sample::p9999), 1},
        {"max us", middle(&sample::max), 0},        {"server ns", middle(&sample::server_ns), 0},
        {"ns ratio", ratio(&sample::server_ns), 3}, {"busy %", middle(&sample::busy), 0}};
    return r;
}

void run_case(const test_case& test, const echo_options& options, report& into)
{
    std::vector<entry> entries;
    for (const auto& name : options.servers)
        entries.push_back({name, {}, {}});
    for (int round = 0; round < options.rounds; ++round) {
        for (auto& each : entries) {
            if (!each.failure.empty())
                continue;
            try {
                each.samples.push_back(measure(each.name, test, options, options.seconds));
            } catch (const std::runtime_error& error) {
                each.failure = error.what();
            }
        }
    }
    for (const auto& each : entries)
        into.add(to_row(each, entries.front(), test));
}

} // namespace

void run_echo(const echo_options& options, report& into)
{
    pin(options.cores.load);
    const int most = *std::max_element(options.connections.begin(), options.connections.end());
    allow_files(static_cast<unsigned>(most) + 64);
    for (const int connections : options.connections) {
        for (const int depth : options.depths) {
            test_case test{connections, depth, 0};
            if (options.open_loop)
                test.rate = options.rate;
            if (options.open_loop && test.rate <= 0)
                test.rate = options.rate_fraction *
                            measure(options.servers.front(), test, options, 0.5).lines_per_second;
            run_case(test, options, into);
            if (options.open_loop)
                break; // lines leave one by one: depth has no meaning
        }
    }
}

} // namespace vk::bench
