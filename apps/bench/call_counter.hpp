#pragma once

// call_counter: the system calls of a running process, counted by the system itself.
//
// An event of perf on the tracepoint that all system calls pass: a file descriptor for each thread,
// and a read says how many. Nobody is stopped for it, unlike by strace: a server uses the same CPU
// time for a request with it and without, so that calls are counted while time is measured. What
// they were, and which failed, strace alone tells.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vk::bench {

/// Owns its file descriptors.
class call_counter {
public:
    /// From now on, or not at all where the system does not allow it.
    explicit call_counter(pid_t process);
    ~call_counter();
    call_counter(const call_counter&) = delete;
    call_counter& operator=(const call_counter&) = delete;

    /// Calls of all its threads so far, and of those that it started since; none where calls are
    /// not counted.
    std::optional<std::uint64_t> calls() const;

    /// Why they are not counted; empty where they are.
    const std::string& why_not() const noexcept { return why_not_; }

private:
    void count(pid_t thread, std::uint64_t tracepoint);

    std::vector<int> events_;
    std::string why_not_;
};

} // namespace vk::bench
