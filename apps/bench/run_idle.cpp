// vk-bench idle: what a connection costs while nothing happens on it.
//
// Memory: the server's resident pages before and after N connections that each exchanged one request.
// The server has served and lost one connection before, so that what it sets up once is not
// counted. Then nothing happens for a while, in which its system calls and its CPU time are counted. Throughput: two servers of each kind, one with the idle connections beside, one without,
// in turn.

#include "bench/call_counter.hpp"
#include "bench/in_turn.hpp"
#include "bench/load.hpp"
#include "bench/machine.hpp"
#include "bench/resident.hpp"
#include "bench/run.hpp"
#include "bench/sample.hpp"
#include "bench/server.hpp"

#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include <fmt/core.h>
#include <unistd.h>

namespace vk::bench {

namespace {

struct sample {
    double empty = 0;                         // bytes of the server before
    double rss = 0, own = 0, page_tables = 0; // bytes a connection
    double calls = 0, cpu_us = 0;             // while nothing happens
    double alone = 0, beside = 0; // requests a second, without and with idle connections
};

struct entry {
    const participant* subject;
    std::vector<sample> samples;
    std::string failure;
};

void settle()
{
    ::usleep(50'000);
}

double throughput(const server& subject, const idle_options& options)
{
    load clients(subject.at(), options.kind, options.active, options.depth);
    clients.spin(options.spin);
    return clients.closed_loop({options.warm_up_s, options.seconds}).per_second();
}

void stay_still(pid_t server, const idle_options& options, sample& into)
{
    const call_counter counter(server);
    const auto before = counter.calls();
    const std::int64_t cpu_before = cpu_ns(server);
    std::this_thread::sleep_for(std::chrono::duration<double>(options.still_s));
    const auto after = counter.calls();
    into.cpu_us = static_cast<double>(cpu_ns(server) - cpu_before) / 1e3;
    into.calls = before && after ? static_cast<double>(*after - *before) : std::nan("");
}

sample measure(const participant& who, const idle_options& options)
{
    sample result;
    server crowded(who, options.cores.server);
    {
        load once(crowded.at(), options.kind, 1, 1);
    }
    settle();
    const resident before = resident_of(crowded.at().pid);
    load idle(crowded.at(), options.kind, options.idle, 1);
    settle();
    const resident after = resident_of(crowded.at().pid);
    result.empty = before.rss;
    result.rss = (after.rss - before.rss) / options.idle;
    result.own = (after.own - before.own) / options.idle;
    result.page_tables = (after.page_tables - before.page_tables) / options.idle;
    stay_still(crowded.at().pid, options, result);

    server empty(who, options.cores.server);
    result.alone = throughput(empty, options);
    result.beside = throughput(crowded, options);
    return result;
}

row memory_row(const entry& subject, const entry& baseline, const idle_options& options)
{
    row r;
    r.group = fmt::format("memory of an idle connection, {} of them", options.idle);
    r.name = subject.subject->label;
    r.baseline = baseline.subject->label;
    r.unit = "bytes";
    r.failure = subject.failure;
    r.samples = column(subject.samples, &sample::rss);
    r.value = median(r.samples);
    r.ratio = paired_ratio(r.samples, column(baseline.samples, &sample::rss));
    r.more = {{"private", median(column(subject.samples, &sample::own)), 0},
              {"page tables", median(column(subject.samples, &sample::page_tables)), 0},
              {"server before, KiB", median(column(subject.samples, &sample::empty)) / 1024, 0},
              {fmt::format("calls in {:g} s", options.still_s),
               median(column(subject.samples, &sample::calls)), 0},
              {"CPU us", median(column(subject.samples, &sample::cpu_us)), 0}};
    return r;
}

// The baseline of a server among idle connections is the same server without them.
void throughput_rows(const entry& subject, const idle_options& options, report& into)
{
    row r;
    r.group = fmt::format("{}: {} active connections, {} in flight", subject.subject->label,
                          options.active, options.depth);
    r.baseline = "alone";
    r.unit = fmt::format("{}s/s", unit_of(options.kind.spoken));
    r.more_is_better = true;
    r.failure = subject.failure;
    const auto alone = column(subject.samples, &sample::alone);
    const auto beside = column(subject.samples, &sample::beside);
    for (const auto* which : {&alone, &beside}) {
        r.name = which == &alone ? "alone" : fmt::format("beside {} idle", options.idle);
        r.samples = *which;
        r.value = median(*which);
        r.ratio = paired_ratio(*which, alone);
        into.add(r);
    }
}

} // namespace

void run_idle(const idle_options& options, report& into)
{
    pin(options.cores.load);
    allow_files(static_cast<unsigned>(options.idle + options.active) + 64);
    const line_up servers(options.kind.spoken, options.servers);
    into.note(servers.notes());
    std::vector<entry> entries;
    for (const auto& each : servers.all())
        entries.push_back({&each, {}, each.failure});
    in_turn(options.rounds, entries,
            [&](entry& each) { each.samples.push_back(measure(*each.subject, options)); });
    for (const auto& each : entries)
        into.add(memory_row(each, entries.front(), options));
    for (const auto& each : entries)
        throughput_rows(each, options, into);
}

} // namespace vk::bench
