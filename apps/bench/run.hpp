#pragma once

// run: the commands of vk-bench, each with its options; each adds its rows to a report.

#include "bench/dialogue.hpp"
#include "bench/report.hpp"

#include <string>
#include <vector>

namespace vk::bench {

struct cores_of_run {
    int server = 0;
    int load = 1;
};

/// A rate is requests a second or, up to 2, a part of what the baseline can do in a closed loop.
constexpr bool is_part(double rate)
{
    return rate <= 2;
}

/// `servers`: the first is the baseline of the others; none: all that are to be had.
struct load_options {
    traffic kind;
    std::vector<std::string> servers;
    std::vector<int> connections{1, 64, 1000};
    std::vector<int> depths{1, 16};
    double seconds = 1;
    double warm_up_s = 0.2;
    int rounds = 5;
    std::vector<double> rates; // of an open loop, a case each; none: a closed loop
    bool spin = false;
    cores_of_run cores;
};

struct overload_options {
    traffic kind;
    std::vector<std::string> servers;
    std::vector<int> connections{64};
    std::vector<int> depths{1, 16};
    std::vector<double> loads{0.5, 0.75, 0.9, 1, 1.25, 1.5, 2}; // parts of what the server can do
    double seconds = 1;
    double warm_up_s = 0.2;
    int rounds = 5;
    cores_of_run cores;
};

struct fairness_options {
    traffic kind;
    std::vector<std::string> servers;
    int connections = 64;           // polite ones
    std::vector<int> hogs{0, 1, 8}; // beside them, a case each
    double rate = 0.1;              // of the polite ones
    double seconds = 1;
    double warm_up_s = 0.2;
    int rounds = 5;
    cores_of_run cores;
};

struct idle_options {
    traffic kind;
    std::vector<std::string> servers;
    int idle = 10'000;
    double still_s = 1; // in which nothing happens on them
    int active = 64;
    int depth = 1;
    double seconds = 1;
    double warm_up_s = 0.2;
    int rounds = 5;
    bool spin = false;
    cores_of_run cores;
};

struct isolation_options {
    std::vector<std::string> servers; // none: vk on its three levels
    bool alone = false;               // without a process and a thread for each connection
    int idle = 9'936;                 // beside the active ones, in the cases with a crowd
    int active = 64;
    std::vector<int> depths{1, 16};
    double seconds = 1;
    double warm_up_s = 0.2;
    int rounds = 5;
    bool spin = false;
    cores_of_run cores;
};

struct syscalls_options {
    traffic kind;
    std::vector<std::string> servers;
    int connections = 64;
    std::vector<int> depths{1, 16};
    int requests = 20'000;
    cores_of_run cores;
};

struct micro_options {
    std::string filter; // of topics: those whose name contains it
    int rounds = 9;
    double round_ms = 20;
    int core = 0;
    bool list = false;
};

struct runtime_options {
    std::string filter; // as of micro
    int rounds = 9;
    int values = 1'000'000;              // sent through a channel
    int round_trips = 100'000;           // of all connections
    std::vector<int> connections{1, 20}; // a case each
    int core = 0;
    bool list = false;
};

struct end_options {
    std::vector<int> frames{1, 10, 100, 1'000, 10'000, 100'000}; // a case each
    int rounds = 9;
    int core = 0;
};

void run_load(const load_options& options, report& into);
void run_overload(const overload_options& options, report& into);
void run_fairness(const fairness_options& options, report& into);
void run_idle(const idle_options& options, report& into);
void run_isolation(const isolation_options& options, report& into);
void run_syscalls(const syscalls_options& options, report& into);
void run_micro(const micro_options& options, report& into);
void run_runtime(const runtime_options& options, report& into);
void run_end(const end_options& options, report& into);

} // namespace vk::bench
