#include "bench/machine.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <fmt/core.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace vk::bench {

void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core >= 0 && core < CPU_SETSIZE)
        CPU_SET(static_cast<unsigned>(core), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        throw std::system_error(errno, std::generic_category(),
                                fmt::format("cannot run on core {}", core));
}

void be_nice(int value)
{
    if (value == 0)
        return;
    if (::setpriority(PRIO_PROCESS, 0, value) != 0)
        throw std::system_error(errno, std::generic_category(),
                                fmt::format("cannot run at nice value {}", value));
    if (::getsid(0) == ::getpid())
        std::ofstream("/proc/self/autogroup") << value;
}

int cores()
{
    return static_cast<int>(std::max(1l, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

void allow_files(unsigned wanted)
{
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    limit.rlim_max = std::max<rlim_t>(limit.rlim_max, wanted);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        throw std::runtime_error(fmt::format(
            "{} open files are needed and the limit cannot be raised (ulimit -n)", wanted));
}

std::int64_t now_ns() noexcept
{
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

namespace {

std::int64_t own_cpu_ns(pid_t pid)
{
    clockid_t clock{};
    timespec t{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &t) != 0)
        return 0;
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

std::int64_t cpu_ns_of_live_children(pid_t pid)
{
    std::int64_t sum = 0;
    std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", pid));
    for (pid_t child = 0; file >> child;)
        sum += own_cpu_ns(child);
    return sum;
}

// proc_pid_stat(5): cutime and cstime, the 16th and 17th fields. The second, in parentheses, may hold spaces.
std::int64_t cpu_ns_of_reaped_children(pid_t pid)
{
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int field = 3; field < 16; ++field)
        fields >> skipped;
    std::int64_t user = 0;
    std::int64_t system = 0;
    fields >> user >> system;
    return (user + system) * (1'000'000'000 / ::sysconf(_SC_CLK_TCK));
}

} // namespace

std::int64_t cpu_ns(pid_t pid)
{
    return own_cpu_ns(pid) + cpu_ns_of_live_children(pid) + cpu_ns_of_reaped_children(pid);
}

namespace {

std::string processor()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name"))
            return line.substr(std::min(line.size(), line.find(':') + 2));
    return "unknown processor";
}

} // namespace

std::string description()
{
    utsname name{};
    ::uname(&name);
#if defined(__clang__)
    const auto compiler = fmt::format("clang {}.{}", __clang_major__, __clang_minor__);
#else
    const auto compiler = fmt::format("gcc {}.{}", __GNUC__, __GNUC_MINOR__);
#endif
#if defined(__OPTIMIZE__)
    const auto* optimised = "optimised";
#else
    const auto* optimised = "NOT optimised";
#endif
    return fmt::format("{} cores, {}, {} {}, {}, {}", cores(), processor(), name.sysname,
                       name.release, compiler, optimised);
}

} // namespace vk::bench
