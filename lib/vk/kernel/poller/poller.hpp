#pragma once

// poller: takes dirty fds and returns fresh ones.
//
// The contract of every driver:
//
//   submit  tells the system of the dirty fds and their interest, in one batch where it can, and empties the
//           queue. An fd that the system cannot watch, since it never blocks (a regular file), is fresh at once.
//   wait    blocks until an fd is ready, a signal came or the deadline passed, and reports each fd that is
//           ready by wake_fresh(), which queues its owner. It resumes nothing.
//   forget  is called before an fd is closed; the driver reports nothing of it afterwards; where the
//           system holds the file for it, that ends with the next wait.
//
// A driver may take over what a connection receives and sends (proc/completions.hpp), where memory is not masked; it says
// so in the descriptor, and reports what came as readiness.
//
// A driver that registers once is told of an fd at its first block, watches all directions edge-triggered, and
// needs no further word but when room to write is waited for. The others are told at each block, and report
// an fd once for each time that they were told; an end behind bytes, and an urgent mark, when they are told next at
// the latest.
//
// A driver is one file in this folder, and its name in the list of drivers.hpp. What it keeps of an fd it keeps by the
// fd's number, in memory of its own.

#include "vk/base/time.hpp"
#include "vk/kernel/fd_table.hpp"
#include "vk/kernel/process_table.hpp"
#include "vk/proc/counters.hpp"

#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>

namespace vk {

class poller {
public:
    virtual ~poller() = default;

    virtual std::string_view name() const noexcept = 0;
    virtual bool registers_once() const noexcept = 0;

    virtual void submit(dirty_fds& dirty) noexcept = 0;

    /// Wait for `timeout` at most; 0 does not block, below 0 is without limit.
    virtual void wait(nanoseconds timeout) noexcept = 0;

    virtual void forget(fd_record& closing) noexcept = 0;
};

/// What a driver is made with; all of it outlives the driver.
struct poller_parts {
    fd_table& fds;
    process_list<run_tag>& run;
    counters& count;
    std::pmr::memory_resource* memory;
    bool masked =
        false; // memory of processes that do not run: a driver keeps nothing of theirs, and touches none
};

/// The driver called `name`, in memory of `parts`. Throws vk::error: EINVAL for an unknown name, or what the
/// system said.
poller* make_poller(std::string_view name, const poller_parts& parts);

/// The driver that `auto` stands for (docs/pollers.md has the measurements). Where the system does not allow it, it is
/// epoll by itself.
std::string_view fastest_poller(bool masked) noexcept;

/// Memory that a driver takes of its parts, where there may be `fds` fds.
std::size_t poller_bytes(std::string_view name, std::size_t fds) noexcept;

/// Whether a driver is called `name`.
bool is_poller(std::string_view name) noexcept;

/// Names of the drivers, with commas between.
std::string poller_names();

} // namespace vk
