#pragma once

// options: how a kernel is made.

#include "vk/base/limits.hpp"
#include "vk/proc/counters.hpp"

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

/// By what memory is closed on the levels above `none` (kernel/mask.hpp).
enum class mask_way : std::uint8_t {
    automatic, // protection keys where the CPU has them, else mprotect
    mprotect,  // a system call: each heap is closed to every other process
    pkey, // protection keys, without calls: processes whose heaps share a key are open to each other
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

    /// Whether a hardware fault or an abort() of a process ends it alone. If not, it ends the program, and leaves a core.
    bool contain_faults = true;

    /// EOPNOTSUPP for `pkey` where there are no keys. Nothing on level `none`.
    mask_way mask = mask_way::automatic;

    /// On the program's first thread only. Linux 5.11 and x86-64.
    enum syscall_gate syscall_gate = syscall_gate::off;

    /// Pages of a process's heap.
    std::size_t heap_pages = limits::heap_pages_default;

    /// Heaps in the pool; more processes than that get a mapping each. 0: one for each connection.
    std::size_t pool = 0;

    /// Connections at most: processes that listeners start. 0: as many as there can be file descriptors
    /// (RLIMIT_NOFILE). A few places for listeners and daemons are kept beside them.
    std::size_t processes_max = 0;

    /// Bytes of the global heap that a process may hold, by `new` and what uses it; more is refused by
    /// vk::memory_exhausted. 0: any number. Only a program that links counted_new can have a limit.
    std::size_t global_bytes_max = 0;

    /// Ties between processes at most: monitors, links, children of supervisors. 0: limits::ties_max_default.
    std::size_t ties_max = 0;

    /// How long processes may take to end when the kernel drains, before they are cancelled.
    std::int64_t drain_ms = limits::drain_ms_default;

    /// Where a copy of the counters is left before each wait, in memory that outlives this OS process. Null: nowhere.
    counters* counted = nullptr;
};

} // namespace vk
