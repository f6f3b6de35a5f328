// vk-bench overload: each server at loads from half of what it can do to twice as much.
//
// What a server can do is measured in a closed loop, and then loads are offered, parts of that, on
// the same connections: so a part means the same for all servers, and a lucky server has no lower
// load than another. The baseline of a load is the load at which the same server did most. Above 1
// a server answers late whatever it does, by as much as the run is long: a latency says nothing
// there.

#include "bench/call_counter.hpp"
#include "bench/in_turn.hpp"
#include "bench/line_up.hpp"
#include "bench/load.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"
#include "bench/sample.hpp"
#include "bench/server.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/core.h>
#include <unistd.h>

namespace vk::bench {

namespace {

struct sample {
    double per_second = 0;
    double offered = 0;
    double calls = 0; // for a request
    double p50 = 0, p99 = 0;
    double server_ns = 0;
    double busy = 0;
};

// A server, and its samples at each load, by the load's place in the options.
struct entry {
    const participant* subject;
    std::vector<std::vector<sample>> loads;
    std::string failure;
};

sample measure(load& clients, double offered, const call_counter& counter, span_of_time time)
{
    const auto before = counter.calls();
    const load_result result = clients.offer(offered, time);
    const auto after = counter.calls();
    sample s;
    s.per_second = result.per_second();
    s.offered = offered;
    s.calls = before && after && result.answered > 0
                  ? static_cast<double>(*after - *before) / static_cast<double>(result.answered)
                  : std::nan("");
    s.p50 = static_cast<double>(result.latency.at(0.5)) / 1e3;
    s.p99 = static_cast<double>(result.latency.at(0.99)) / 1e3;
    s.server_ns = result.server_ns_each();
    s.busy = 100 * result.server_busy();
    return s;
}

// All loads, or as many as the server lives through. Each round begins with another, so that no load
// is always the first or the last.
void measure_loads(entry& into, int connections, int depth, const overload_options& options)
{
    const span_of_time time{options.warm_up_s, options.seconds};
    const server subject(*into.subject, options.cores.server);
    load clients(subject.at(), options.kind, connections, depth);
    const double able = clients.closed_loop(time).per_second();
    const call_counter counter(subject.at().pid);
    const std::size_t round = into.loads.front().size();
    for (std::size_t i = 0; i < options.loads.size(); ++i) {
        const std::size_t next = (round + i) % options.loads.size();
        into.loads[next].push_back(measure(clients, options.loads[next] * able, counter, time));
    }
}

double middle(const std::vector<sample>& samples, double sample::* member)
{
    return median(column(samples, member));
}

// Where the server did most.
std::size_t peak(const entry& subject)
{
    const auto most = std::max_element(
        subject.loads.begin(), subject.loads.end(), [](const auto& a, const auto& b) {
            return middle(a, &sample::per_second) < middle(b, &sample::per_second);
        });
    return static_cast<std::size_t>(most - subject.loads.begin());
}

std::string percent(double part)
{
    return fmt::format("{:.0f} %", 100 * part);
}

void add_rows(const entry& subject, const std::string& title, const overload_options& options,
              report& into)
{
    const std::size_t most = peak(subject);
    for (std::size_t i = 0; i < options.loads.size(); ++i) {
        const auto& samples = subject.loads[i];
        const bool below = options.loads[i] < 1;
        row r;
        r.group = fmt::format("{}: {}", subject.subject->label, title);
        r.name = percent(options.loads[i]);
        r.baseline = percent(options.loads[most]);
        r.unit = fmt::format("{}s/s", unit_of(options.kind.spoken));
        r.more_is_better = true;
        r.failure = subject.failure;
        r.samples = column(samples, &sample::per_second);
        r.value = median(r.samples);
        r.ratio = paired_ratio(r.samples, column(subject.loads[most], &sample::per_second));
        r.more = {{"offered", middle(samples, &sample::offered), 0},
                  {"calls each", middle(samples, &sample::calls), 4},
                  {"p50 us", below ? middle(samples, &sample::p50) : std::nan(""), 1},
                  {"p99 us", below ? middle(samples, &sample::p99) : std::nan(""), 1},
                  {"server ns", middle(samples, &sample::server_ns), 0},
                  {"busy %", middle(samples, &sample::busy), 0}};
        into.add(r);
    }
}

curve drawn(const entry& subject, std::string panel, double sample::* member, double whole,
            const overload_options& options)
{
    curve c{std::move(panel), subject.subject->label, {}};
    for (std::size_t i = 0; i < options.loads.size(); ++i)
        c.points.push_back({options.loads[i], middle(subject.loads[i], member) / whole});
    return c;
}

void add_curves(const entry& subject, const std::string& title, const overload_options& options,
                report& into)
{
    if (!subject.failure.empty())
        return;
    const auto over = fmt::format("by load in %: {}", title);
    const double most = middle(subject.loads[peak(subject)], &sample::per_second);
    into.add(drawn(subject, fmt::format("throughput, 1 is the server's most, {}", over),
                   &sample::per_second, most, options));
    if (!std::isnan(middle(subject.loads.front(), &sample::calls)))
        into.add(drawn(subject,
                       fmt::format("system calls for a {}, {}", unit_of(options.kind.spoken), over),
                       &sample::calls, 1, options));
}

void run_case(int connections, int depth, const line_up& servers, const overload_options& options,
              report& into)
{
    std::vector<entry> entries;
    for (const auto& each : servers.all())
        entries.push_back({&each, {options.loads.size(), std::vector<sample>{}}, each.failure});
    in_turn(options.rounds, entries,
            [&](entry& each) { measure_loads(each, connections, depth, options); });
    const auto title = fmt::format("{} connections, {} in flight at most", connections, depth);
    for (const auto& each : entries) {
        add_rows(each, title, options, into);
        add_curves(each, title, options, into);
    }
}

} // namespace

void run_overload(const overload_options& options, report& into)
{
    pin(options.cores.load);
    const int most = *std::max_element(options.connections.begin(), options.connections.end());
    allow_files(static_cast<unsigned>(most) + 64);
    const line_up servers(options.kind.spoken, options.servers);
    into.note(servers.notes());
    if (const call_counter trial(::getpid()); !trial.why_not().empty())
        into.note({fmt::format("without system calls: {}", trial.why_not())});
    for (const int connections : options.connections)
        for (const int depth : options.depths)
            run_case(connections, depth, servers, options, into);
}

} // namespace vk::bench
