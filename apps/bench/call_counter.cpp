#include "bench/call_counter.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vk::bench {

namespace {

// 0 where tracefs is not mounted, or not for us.
std::uint64_t tracepoint()
{
    std::uint64_t id = 0;
    for (const auto* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
        if (std::ifstream file(fmt::format("{}/events/raw_syscalls/sys_enter/id", root));
            file >> id)
            return id;
    return 0;
}

} // namespace

call_counter::call_counter(pid_t process)
{
    const auto id = tracepoint();
    if (id == 0) {
        why_not_ = "no tracepoint raw_syscalls:sys_enter in /sys/kernel/tracing (is it mounted?)";
        return;
    }
    const auto threads = fmt::format("/proc/{}/task", process);
    std::error_code ignored;
    for (const auto& thread : std::filesystem::directory_iterator(threads, ignored))
        count(std::atoi(thread.path().filename().c_str()), id);
}

call_counter::~call_counter()
{
    for (const int each : events_)
        ::close(each);
}

void call_counter::count(pid_t thread, std::uint64_t tracepoint)
{
    perf_event_attr what{};
    what.size = sizeof what;
    what.type = PERF_TYPE_TRACEPOINT;
    what.config = tracepoint;
    what.inherit = 1;
    const long fd = ::syscall(SYS_perf_event_open, &what, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0)
        events_.push_back(static_cast<int>(fd));
    else if (errno != ESRCH) // a thread that has just ended makes no calls
        why_not_ = fmt::format("perf_event_open: {}", std::generic_category().message(errno));
}

std::optional<std::uint64_t> call_counter::calls() const
{
    if (!why_not_.empty() || events_.empty())
        return {};
    std::uint64_t all = 0;
    for (const int each : events_) {
        std::uint64_t calls = 0;
        if (::read(each, &calls, sizeof calls) != sizeof calls)
            return {};
        all += calls;
    }
    return all;
}

} // namespace vk::bench
