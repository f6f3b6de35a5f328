// vk-bench: what the library costs, beside what it is compared with, measured in the same run.
//
//     vk-bench micro      operations, in nanoseconds, each beside its baseline
//     vk-bench runtime    whole programs on one thread, beside Asio
//     vk-bench echo       throughput and latency of echo servers over loopback
//     vk-bench http       the same of HTTP/1.1 servers
//     vk-bench overload   the same at loads beyond what a server can do, and its system calls there
//     vk-bench fairness   latency beside clients that never stop asking
//     vk-bench end        how long a process takes to end, by what it holds
//     vk-bench idle       memory of idle connections, and throughput beside them
//     vk-bench isolation  what masked memory costs, beside its goals, threads and processes
//     vk-bench syscalls   system calls for each request, counted by strace
//     vk-bench serve      one of the servers, alone
//
// Exit status: 0, or 1 when something could not be measured, or 2 for a wrong option.

#include "bench/contestant.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vk::bench {

namespace {

struct options {
    load_options echo;
    load_options http;
    bool open_loop = false;     // of echo and http
    double rate_fraction = 0.7; // the rate of an open loop, where none is given
    overload_options overload;
    fairness_options fairness;
    idle_options idle;
    isolation_options isolation;
    syscalls_options syscalls;
    micro_options micro;
    runtime_options runtime;
    end_options end;
    std::vector<std::string> servers;
    cores_of_run cores;
    int nice = 0;
    std::string json;
    std::string svg;
    std::string serve;
    protocol spoken = protocol::echo; // of the commands that take --protocol
};

std::string names(protocol spoken)
{
    std::string text;
    for (const auto& each : contestants(spoken))
        text += fmt::format("; {}: {}", each.name, each.is);
    return text;
}

void add_protocol(CLI::App& command, options& o)
{
    const std::map<std::string, protocol> known{{"echo", protocol::echo}, {"http", protocol::http}};
    command.add_option("--protocol", o.spoken, "What the servers speak: echo or http")
        ->transform(CLI::CheckedTransformer(known, CLI::ignore_case));
}

void add_common(CLI::App& command, options& o)
{
    command.add_option("--nice", o.nice, "Nice value of this program and of its servers")
        ->check(CLI::Range(-20, 19))
        ->capture_default_str();
    command.add_option("--json", o.json, "Write the results to this file as JSON");
    command.add_option("--svg", o.svg, "Write the ratios to this file as a plot");
}

void add_machine(CLI::App& command, options& o, const std::string& known)
{
    command
        .add_option("--servers", o.servers,
                    "Servers to compare, the first is the baseline; a path names another program" +
                        known)
        ->delimiter(',');
    command.add_option("--server-core", o.cores.server, "Core of the server")
        ->capture_default_str();
    command.add_option("--load-core", o.cores.load, "Core of the load generator")
        ->capture_default_str();
}

void add_rounds(CLI::App& command, int& rounds)
{
    command.add_option("--rounds", rounds, "Times that each subject is measured, in turn")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
}

void add_time(CLI::App& command, double& seconds, double& warm_up_s)
{
    command.add_option("--seconds", seconds, "Length of one measurement")
        ->check(CLI::Range(0.01, 3600.0))
        ->capture_default_str();
    command.add_option("--warm-up", warm_up_s, "Seconds before it that do not count")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
}

void add_spin(CLI::App& command, bool& spin)
{
    command.add_flag("--spin", spin, "The load generator never sleeps while it waits");
}

void add_cases(CLI::App& command, std::vector<int>& connections, std::vector<int>& depths)
{
    command.add_option("--connections", connections, "Connections, a case each")
        ->delimiter(',')
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    command.add_option("--depth", depths, "Requests in flight on a connection, a case each")
        ->delimiter(',')
        ->check(CLI::Range(1, 32))
        ->capture_default_str();
}

constexpr const char* a_rate =
    "requests a second or, up to 2, a part of what the baseline can do in a closed loop";

void add_load(CLI::App& command, load_options& l, options& o)
{
    add_rounds(command, l.rounds);
    add_time(command, l.seconds, l.warm_up_s);
    add_spin(command, l.spin);
    add_cases(command, l.connections, l.depths);
    command.add_flag("--open-loop", o.open_loop,
                     "Send at a fixed rate, whether or not answers came");
    command
        .add_option("--rate", l.rates,
                    fmt::format("The rate of an open loop, a case each: {}", a_rate))
        ->delimiter(',')
        ->check(CLI::PositiveNumber);
    command
        .add_option("--rate-fraction", o.rate_fraction,
                    "The rate of an open loop without --rate, as such a part")
        ->check(CLI::Range(0.01, 2.0))
        ->capture_default_str();
}

void describe_echo(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("echo", "Throughput and latency of echo servers over loopback");
    add_machine(command, o, names(protocol::echo));
    add_load(command, o.echo, o);
    add_common(command, o);
}

// Empty when it is right: what CLI11 expects of a check.
std::string wrong_path(const std::string& path)
{
    const bool one_word = path.find_first_of(" \t\r\n") == std::string::npos;
    return path.starts_with('/') && one_word ? "" : "a path begins with '/' and has no spaces";
}

void describe_http(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("http", "Throughput and latency of HTTP/1.1 servers over loopback");
    o.http.kind.spoken = protocol::http;
    add_machine(command, o, names(protocol::http));
    add_load(command, o.http, o);
    auto& kind = o.http.kind;
    command.add_option("--path", kind.path, "What is asked for")
        ->check(CLI::Validator(wrong_path, ""))
        ->capture_default_str();
    command
        .add_option_function<std::string>(
            "--request", [&](const std::string& what) { kind.browser = what == "browser"; },
            "plain: a Host and no more; browser: the headers that a browser sends, 600 bytes")
        ->check(CLI::IsMember({"plain", "browser"}));
    command.add_flag("--close", kind.close, "A connection for each request")
        ->excludes("--open-loop", "--rate");
    add_common(command, o);
}

void describe_overload(CLI::App& app, options& o)
{
    auto& command = *app.add_subcommand(
        "overload", "Throughput and system calls at loads beyond what a server can do");
    auto& v = o.overload;
    add_protocol(command, o);
    add_machine(command, o, "");
    add_rounds(command, v.rounds);
    add_time(command, v.seconds, v.warm_up_s);
    add_cases(command, v.connections, v.depths);
    command
        .add_option("--loads", v.loads,
                    "Requests offered, as parts of what the server can do in a closed loop")
        ->delimiter(',')
        ->check(CLI::Range(0.01, 10.0))
        ->capture_default_str();
    add_common(command, o);
}

void describe_fairness(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("fairness", "Latency beside clients that never stop asking");
    auto& f = o.fairness;
    add_protocol(command, o);
    add_machine(command, o, "");
    add_rounds(command, f.rounds);
    add_time(command, f.seconds, f.warm_up_s);
    command.add_option("--connections", f.connections, "Connections that ask at a fixed rate")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    command.add_option("--hogs", f.hogs, "Connections beside them that never stop, a case each")
        ->delimiter(',')
        ->check(CLI::Range(0, 1'000))
        ->capture_default_str();
    command.add_option("--rate", f.rate, fmt::format("That rate: {}", a_rate))
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    add_common(command, o);
}

void describe_idle(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("idle", "Memory of idle connections, and throughput beside them");
    auto& i = o.idle;
    add_protocol(command, o);
    add_machine(command, o, "");
    add_rounds(command, i.rounds);
    add_time(command, i.seconds, i.warm_up_s);
    add_spin(command, i.spin);
    command.add_option("--idle", i.idle, "Idle connections")
        ->check(CLI::Range(1, 28'000))
        ->capture_default_str();
    command.add_option("--still", i.still_s, "Seconds in which nothing happens on them")
        ->check(CLI::Range(0.01, 3600.0))
        ->capture_default_str();
    command.add_option("--active", i.active, "Active connections")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    command.add_option("--depth", i.depth, "Requests in flight on an active connection")
        ->check(CLI::Range(1, 32))
        ->capture_default_str();
    add_common(command, o);
}

void describe_isolation(CLI::App& app, options& o)
{
    auto& command = *app.add_subcommand(
        "isolation",
        "What masked memory costs HTTP servers, beside its goals, threads and processes");
    auto& i = o.isolation;
    add_machine(command, o, "; none: vk on its three levels");
    add_rounds(command, i.rounds);
    add_time(command, i.seconds, i.warm_up_s);
    add_spin(command, i.spin);
    command.add_flag("--alone", i.alone,
                     "Without a process and a thread for each connection (fork, threads)");
    command.add_option("--active", i.active, "Active connections")
        ->check(CLI::Range(1, 2'000))
        ->capture_default_str();
    command.add_option("--idle", i.idle, "Idle connections beside them, in the cases with a crowd")
        ->check(CLI::Range(1, 28'000))
        ->capture_default_str();
    command.add_option("--depth", i.depths, "Requests in flight on an active one, a case each")
        ->delimiter(',')
        ->check(CLI::Range(1, 32))
        ->capture_default_str();
    add_common(command, o);
}

void describe_syscalls(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("syscalls", "System calls for each request, counted by strace");
    auto& s = o.syscalls;
    add_protocol(command, o);
    add_machine(command, o, "");
    command.add_option("--connections", s.connections, "Connections")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    command.add_option("--depth", s.depths, "Requests in flight on a connection, a case each")
        ->delimiter(',')
        ->check(CLI::Range(1, 32))
        ->capture_default_str();
    command.add_option("--requests,--lines", s.requests, "Requests to count for")
        ->check(CLI::Range(1, 100'000'000))
        ->capture_default_str();
    add_common(command, o);
}

void add_topics(CLI::App& command, std::string& filter, bool& list)
{
    command.add_option("--filter", filter, "Only topics whose name contains this");
    command.add_flag("--list", list, "Print the names of the topics");
}

void describe_micro(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("micro", "Operations, in nanoseconds, each beside its baseline");
    auto& m = o.micro;
    add_topics(command, m.filter, m.list);
    add_rounds(command, m.rounds);
    command.add_option("--round-ms", m.round_ms, "Length of one measurement")
        ->check(CLI::Range(0.1, 60'000.0))
        ->capture_default_str();
    command.add_option("--core", m.core, "Core to run on")->capture_default_str();
    add_common(command, o);
}

void describe_runtime(CLI::App& app, options& o)
{
    auto& command = *app.add_subcommand(
        "runtime", "Whole programs on one thread, beside Asio: skynet, channel, TCP ping-pong");
    auto& r = o.runtime;
    add_topics(command, r.filter, r.list);
    add_rounds(command, r.rounds);
    command.add_option("--values", r.values, "Values that go through a channel")
        ->check(CLI::Range(1, 100'000'000))
        ->capture_default_str();
    command.add_option("--round-trips", r.round_trips, "Round trips of all connections together")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    command.add_option("--connections", r.connections, "Connections, a case each")
        ->delimiter(',')
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    command.add_option("--core", r.core, "Core to run on")->capture_default_str();
    add_common(command, o);
}

void describe_end(CLI::App& app, options& o)
{
    auto& command =
        *app.add_subcommand("end", "How long a process takes to end, by the frames that it holds");
    auto& e = o.end;
    command
        .add_option("--frames", e.frames,
                    "Frames that live, a case each; the first is the baseline")
        ->delimiter(',')
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    add_rounds(command, e.rounds);
    command.add_option("--core", e.core, "Core to run on")->capture_default_str();
    add_common(command, o);
}

void describe_serve(CLI::App& app, options& o)
{
    auto& command = *app.add_subcommand("serve", "One of the servers, alone, until it is killed");
    add_protocol(command, o);
    command.add_option("server", o.serve, "Which")->required();
    command.allow_extras();
}

void share(options& o)
{
    for (auto* each : {&o.echo, &o.http}) {
        if (o.open_loop && each->rates.empty())
            each->rates = {o.rate_fraction};
    }
    const auto tell = [&o](auto&... each) {
        ((each.servers = o.servers, each.cores = o.cores), ...);
    };
    tell(o.echo, o.http, o.overload, o.fairness, o.idle, o.isolation, o.syscalls);
    o.overload.kind.spoken = o.fairness.kind.spoken = o.idle.kind.spoken = o.syscalls.kind.spoken =
        o.spoken;
}

std::string command_line(int argc, char** argv)
{
    std::string line = "vk-bench";
    for (int i = 1; i < argc; ++i)
        line += fmt::format(" {}", argv[i]);
    return line;
}

int run(const CLI::App& app, options& o, report& results)
{
    if (app.got_subcommand("serve"))
        return serve(o.spoken, o.serve, app.get_subcommand("serve")->remaining());
    share(o);
    be_nice(o.nice);
    if (app.got_subcommand("echo"))
        run_load(o.echo, results);
    else if (app.got_subcommand("http"))
        run_load(o.http, results);
    else if (app.got_subcommand("overload"))
        run_overload(o.overload, results);
    else if (app.got_subcommand("fairness"))
        run_fairness(o.fairness, results);
    else if (app.got_subcommand("idle"))
        run_idle(o.idle, results);
    else if (app.got_subcommand("isolation"))
        run_isolation(o.isolation, results);
    else if (app.got_subcommand("syscalls"))
        run_syscalls(o.syscalls, results);
    else if (app.got_subcommand("end"))
        run_end(o.end, results);
    else if (app.got_subcommand("runtime"))
        run_runtime(o.runtime, results);
    else
        run_micro(o.micro, results);
    if (o.micro.list || o.runtime.list)
        return 0;
    results.print(stdout);
    if (!o.json.empty())
        results.write_json(o.json);
    if (!o.svg.empty())
        results.write_plot(o.svg);
    return results.failed() ? 1 : 0;
}

} // namespace

} // namespace vk::bench

int main(int argc, char** argv)
{
    using namespace vk::bench;

    options o;
    o.cores.load = std::min(1, cores() - 1);
    CLI::App app{"What the library costs, beside what it is compared with"};
    app.require_subcommand(1);
    describe_micro(app, o);
    describe_runtime(app, o);
    describe_echo(app, o);
    describe_http(app, o);
    describe_overload(app, o);
    describe_fairness(app, o);
    describe_idle(app, o);
    describe_isolation(app, o);
    describe_syscalls(app, o);
    describe_end(app, o);
    describe_serve(app, o);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {
        return app.exit(asked);
    } catch (const CLI::ParseError& error) {
        fmt::print(stderr, "vk-bench: {}\n", error.what());
        return 2;
    }
    try {
        report results(command_line(argc, argv));
        return run(app, o, results);
    } catch (const std::invalid_argument& error) {
        fmt::print(stderr, "vk-bench: {}\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "vk-bench: {}\n", error.what());
        return 1;
    }
}
