// vk-bench echo and http: throughput and latency of each server, in turn, for each case.
//
// A sample is a fresh server and fresh connections, so that a lucky or unlucky layout of memory is
// one sample, not the whole result. `busy` says how much of its core the server used: well below
// 100 %, the load generator was the limit, and `server ns` (CPU time a request) tells the servers
// apart where throughput cannot.

#include "bench/churn.hpp"
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
    double per_second = 0;
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0, p9999 = 0, max = 0; // microseconds
    double server_ns = 0;
    double busy = 0;
};

struct entry {
    const participant* subject;
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
    return {result.per_second(),
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            us(0.9999),
            us(1),
            result.server_ns_each(),
            100 * result.server_busy()};
}

load_result run_clients(endpoint server, const test_case& test, const load_options& options,
                        span_of_time time)
{
    if (options.kind.close)
        return churn(server, options.kind, test.connections).closed_loop(time);
    load clients(server, options.kind, test.connections, test.depth);
    clients.spin(options.spin);
    return test.rate > 0 ? clients.open_loop(test.rate, time) : clients.closed_loop(time);
}

sample measure(const participant& who, const test_case& test, const load_options& options,
               double seconds)
{
    const server subject(who, options.cores.server);
    return summary(run_clients(subject.at(), test, options, {options.warm_up_s, seconds}));
}

std::string title(const test_case& test, const traffic& kind)
{
    if (test.rate > 0)
        return fmt::format("open loop, {} connections, {:.0f} {}s/s", test.connections, test.rate,
                           unit_of(kind.spoken));
    if (kind.close)
        return fmt::format("{} connections at a time, one request each", test.connections);
    return fmt::format("{} connections, {} in flight", test.connections, test.depth);
}

row to_row(const entry& subject, const entry& baseline, const test_case& test, const traffic& kind)
{
    row r;
    r.group = title(test, kind);
    r.name = subject.subject->label;
    r.baseline = baseline.subject->label;
    r.unit = fmt::format("{}s/s", unit_of(kind.spoken));
    r.more_is_better = true;
    r.failure = subject.failure;
    r.samples = column(subject.samples, &sample::per_second);
    r.value = median(r.samples);
    r.ratio = paired_ratio(r.samples, column(baseline.samples, &sample::per_second));
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

void run_case(const test_case& test, const line_up& servers, const load_options& options,
              report& into)
{
    std::vector<entry> entries;
    for (const auto& each : servers.all())
        entries.push_back({&each, {}, each.failure});
    in_turn(options.rounds, entries, [&](entry& each) {
        each.samples.push_back(measure(*each.subject, test, options, options.seconds));
    });
    for (const auto& each : entries)
        into.add(to_row(each, entries.front(), test, options.kind));
}

// What the rate of an open loop is a part of.
double saturated(const test_case& test, const line_up& servers, const load_options& options)
{
    const auto& baseline = servers.all().front();
    if (!baseline.failure.empty())
        throw std::runtime_error(fmt::format("{}: {}", baseline.label, baseline.failure));
    return measure(baseline, test, options, 0.5).per_second;
}

// The rates of one run are parts of the same.
void run_rates(test_case test, const line_up& servers, const load_options& options, report& into)
{
    const bool parts = std::any_of(options.rates.begin(), options.rates.end(), is_part);
    const double whole = parts ? saturated(test, servers, options) : 0;
    for (const double rate : options.rates) {
        test.rate = is_part(rate) ? rate * whole : rate;
        run_case(test, servers, options, into);
    }
}

} // namespace

void run_load(const load_options& options, report& into)
{
    pin(options.cores.load);
    const int most = *std::max_element(options.connections.begin(), options.connections.end());
    allow_files(static_cast<unsigned>(most) + 64);
    const line_up servers(options.kind.spoken, options.servers);
    into.note(servers.notes());
    for (const int connections : options.connections) {
        for (const int depth : options.depths) {
            const test_case test{connections, depth, 0};
            if (options.rates.empty())
                run_case(test, servers, options, into);
            else
                run_rates(test, servers, options, into);
            if (!options.rates.empty() || options.kind.close)
                break; // requests leave one by one: depth has no meaning
        }
    }
}

} // namespace vk::bench
