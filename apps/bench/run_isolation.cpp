// vk-bench isolation: what it costs that connections cannot reach each other's memory, beside what
// it must not cost, and beside a thread and a process of the system for each connection.
//
// All servers are measured in turn for each case: active connections alone, the same among many that
// are idle, and a connection for each request. The first server is the baseline. Protection calls
// for a dispatch are counted by the server, which says so when it ends (`--stats`): those of a run,
// less those of a server that was set up for it and saw nothing more. Beside the ratio stands its limit: what would be left
// of the baseline if a dispatch took no more than to open memory, write a page and close it, measured in the same case.

#include "bench/churn.hpp"
#include "bench/closed_memory.hpp"
#include "bench/in_turn.hpp"
#include "bench/line_up.hpp"
#include "bench/load.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"
#include "bench/sample.hpp"
#include "bench/scratch_folder.hpp"
#include "bench/server.hpp"
#include "bench/server_counters.hpp"

#include <cmath>
#include <optional>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr const char* peers[] = {"fork", "threads"};

struct test_case {
    int idle = 0;
    int depth = 1;
    bool close = false; // a connection for each request

    traffic kind() const
    {
        traffic t;
        t.spoken = protocol::http;
        t.close = close;
        return t;
    }
};

struct sample {
    double per_second = 0;
    double p99 = 0;   // microseconds
    double calls = 0; // protection calls for a dispatch
    double server_ns = 0;
    double busy = 0;
};

struct entry {
    participant subject;
    std::vector<sample> samples;
    std::string failure;
    std::optional<server_counters> at_rest; // of a server that was set up and no more
};

/// What one run of a server leaves.
struct outcome_of_run {
    load_result result;
    std::optional<server_counters> counters; // of a server that has them
};

bool is_peer(const participant& who)
{
    return std::find(std::begin(peers), std::end(peers), who.label) != std::end(peers);
}

/// Ours, by its name or that of its program.
bool counts(const participant& who)
{
    return who.label.starts_with("vk");
}

class stage {
public:
    stage(const test_case& test, const isolation_options& options) : test_(test), options_(options)
    {
    }

    void measure(entry& each) const
    {
        if (counts(each.subject) && !each.at_rest && !test_.close)
            each.at_rest = run(each.subject, false).counters;
        const auto came = run(each.subject, true);
        sample s;
        s.per_second = came.result.per_second();
        s.p99 = static_cast<double>(came.result.latency.at(0.99)) / 1e3;
        s.calls = came.counters ? calls(*came.counters - each.at_rest.value_or(server_counters{}))
                                : std::nan("");
        s.server_ns = came.result.server_ns_each();
        s.busy = 100 * came.result.server_busy();
        each.samples.push_back(s);
    }

private:
    static double calls(const server_counters& in_run)
    {
        return in_run.dispatches > 0 ? in_run.masks / in_run.dispatches : std::nan("");
    }

    outcome_of_run run(const participant& who, bool loaded) const
    {
        outcome_of_run came;
        participant told = who;
        if (counts(who))
            told.command.insert(told.command.end(), {"--stats", stats().string()});
        std::filesystem::remove(stats());
        server subject(told, options_.cores.server);
        came.result = run_clients(subject.at(), loaded);
        subject.stop();
        if (counts(who))
            came.counters = read_counters(stats());
        return came;
    }

    load_result run_clients(endpoint at, bool loaded) const
    {
        const span_of_time time{options_.warm_up_s, options_.seconds};
        if (test_.close)
            return churn(at, test_.kind(), options_.active).closed_loop(time);
        const load idle(at, test_.kind(), test_.idle, 1);
        load clients(at, test_.kind(), options_.active, test_.depth);
        clients.spin(options_.spin);
        return loaded ? clients.closed_loop(time) : load_result{};
    }

    std::filesystem::path stats() const { return folder_.path() / "stats.json"; }

    test_case test_;
    const isolation_options& options_;
    scratch_folder folder_;
};

// --- what the figures are to be -----------------------------------------------------------------

/// Of a level of isolation.
struct goals {
    const char* level; // as it is given to a server
    double ratio;      // of throughput to that without isolation, one request in flight
    double pipelined;  // the same with several
    double calls;      // protection calls for a dispatch, at most
};

constexpr goals all_goals[] = {{"--isolation process", 0.68, 0.9, 2},
                               {"--isolation full", 0.62, 0.87, 2.2}};
constexpr double in_a_crowd = 0.9; // part of a ratio that is left among idle connections
constexpr double p99_ratio_max = 2;

const goals* goals_of(const participant& who)
{
    for (const auto& each : all_goals)
        if (who.label.find(each.level) != std::string::npos)
            return &each;
    return nullptr;
}

void set_goals(row& r, const goals& of, const test_case& test)
{
    const double ratio = test.depth == 1 ? of.ratio : of.pipelined;
    if (!test.close)
        r.ratio_goal = goal{goal::side::at_least, ratio * (test.idle > 0 ? in_a_crowd : 1)};
    for (auto& each : r.more) {
        if (each.column == "p99 ratio" && !test.close)
            each.wanted = goal{goal::side::at_most, p99_ratio_max};
        if (each.column == "calls")
            each.wanted = goal{goal::side::at_most, of.calls};
        if (each.column.starts_with("of "))
            each.wanted = goal{goal::side::at_least, 1};
    }
}

/// What is left of a baseline whose dispatches answer `depth` requests each, when each of them takes `more_ns` more.
double left_of(double per_second, int depth, double more_ns)
{
    const double dispatch_ns = 1e9 / per_second * depth;
    return dispatch_ns / (dispatch_ns + more_ns);
}

// --- the tables -----------------------------------------------------------------------------------

std::string title(const test_case& test, const isolation_options& options)
{
    if (test.close)
        return fmt::format("{} connections at a time, one request each", options.active);
    if (test.idle > 0)
        return fmt::format("{} connections, {} active, {} in flight", test.idle + options.active,
                           options.active, test.depth);
    return fmt::format("{} connections, {} in flight", options.active, test.depth);
}

row to_row(const entry& subject, const std::vector<entry>& all, const test_case& test,
           const isolation_options& options, double pair_ns)
{
    const auto& baseline = all.front();
    const auto middle = [&](double sample::* member) {
        return median(column(subject.samples, member));
    };
    const auto ratio = [&](double sample::* member, const entry& to) {
        return paired_ratio(column(subject.samples, member), column(to.samples, member));
    };
    row r;
    r.group = title(test, options);
    r.name = subject.subject.label;
    r.baseline = baseline.subject.label;
    r.unit = "requests/s";
    r.more_is_better = true;
    r.failure = subject.failure;
    r.samples = column(subject.samples, &sample::per_second);
    r.value = median(r.samples);
    r.ratio = ratio(&sample::per_second, baseline);
    r.more = {
        {"p99 us", middle(&sample::p99), 1},
        {"p99 ratio", ratio(&sample::p99, baseline), 2},
        {"calls", middle(&sample::calls), 2},
        {"limit",
         goals_of(subject.subject)
             ? left_of(median(column(baseline.samples, &sample::per_second)), test.depth, pair_ns)
             : std::nan(""),
         2},
        {"server ns", middle(&sample::server_ns), 0},
        {"busy %", middle(&sample::busy), 0}};
    for (const auto& each : all)
        if (is_peer(each.subject))
            r.more.push_back(
                {fmt::format("of {}", each.subject.label),
                 each.failure.empty() ? ratio(&sample::per_second, each) : std::nan(""), 2});
    return r;
}

void run_case(const test_case& test, const line_up& servers, const isolation_options& options,
              report& into)
{
    std::vector<entry> entries;
    for (const auto& each : servers.all())
        if (test.idle == 0 || !is_peer(each))
            entries.push_back({each, {}, each.failure, {}});
    const stage on(test, options);
    const double pair_ns = mask_pair_ns(options.cores.server, options.active);
    into.note(
        {fmt::format("{}: to open memory, write a page and close it by mprotect takes {:.1f} us",
                     title(test, options), pair_ns / 1e3)});
    in_turn(options.rounds, entries, [&](entry& each) { on.measure(each); });
    for (const auto& each : entries) {
        row r = to_row(each, entries, test, options, pair_ns);
        if (const auto* wanted = goals_of(each.subject))
            set_goals(r, *wanted, test);
        into.add(std::move(r));
    }
}

std::vector<std::string> names(const isolation_options& options)
{
    std::vector<std::string> all = options.servers;
    if (all.empty())
        all = {"vk", "vk --isolation process", "vk --isolation full"};
    if (!options.alone)
        all.insert(all.end(), std::begin(peers), std::end(peers));
    return all;
}

} // namespace

void run_isolation(const isolation_options& options, report& into)
{
    pin(options.cores.load);
    allow_files(static_cast<unsigned>(options.idle + options.active) + 64);
    const line_up servers(protocol::http, names(options));
    into.note(servers.notes());
    for (const int idle : {0, options.idle})
        for (const int depth : options.depths)
            run_case({idle, depth, false}, servers, options, into);
    run_case({0, 1, true}, servers, options, into);
}

} // namespace vk::bench
