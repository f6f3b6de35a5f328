#pragma once

// options: how a kernel is made.

#include "vk/base/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace vk {

/// How far a running process can reach.
enum class isolation : std::uint8_t {
    none,    // everywhere
    process, // not into the heap of a process that is not running
    full,    // nor into the kernel's heap
};

/// What becomes of a system call that a process makes but for those of the library (base/gate).
enum class syscall_gate : std::uint8_t {
    off, // it is made
    raise, // it is not made: refused_call is thrown in the thread that made it (but see kernel/refusals)
    end, // it is not made, and the process ends
};

struct kernel_options {
    /// Poller driver: "epoll", another of poller_names(), or "auto" for the fastest. Empty: the environment's VK_POLLER,
    /// else epoll.
    std::string poller{};

    enum isolation isolation = isolation::none;

    /// On the program's first thread only. Linux 5.11 and x86-64.
    enum syscall_gate syscall_gate = syscall_gate::off;

    /// Pages of a process's heap.
    std::size_t heap_pages = limits::heap_pages_default;

    /// Heaps in the pool; more processes than that get a mapping each. 0: one for each connection.
    std::size_t pool = 0;

    /// Connections at most: processes that listeners start. 0: as many as there can be file descriptors
    /// (RLIMIT_NOFILE). A few places for listeners and daemons are kept beside them.
    std::size_t processes_max = 0;

    /// How long processes may take to end when the kernel drains, before they are cancelled.
    std::int64_t drain_ms = limits::drain_ms_default;
};

} // namespace vk
