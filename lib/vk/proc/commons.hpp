#pragma once

// commons: the memory that a running process shares with its kernel.
//
// Everything a dispatch may touch besides the process's own heap: counters, the clock of this turn, the
// lender of ring buffers, the mailbox for requests. It lies outside of the kernel's heap, which may be masked
// while a process runs.

#include "vk/base/time.hpp"
#include "vk/memory/lender.hpp"
#include "vk/proc/counters.hpp"
#include "vk/proc/request.hpp"

namespace vk {

struct commons {
    /// For a kernel with a table of `fds_max`; none without a kernel. Throws vk::error.
    explicit commons(std::size_t blocks_max, std::size_t fds_max = 0)
        : blocks(blocks_max), requests(fds_max), fds(fds_max)
    {
    }

    counters count;
    nanoseconds now = 0; // when this turn of the kernel's loop began
    lender blocks;
    mailbox requests;
    std::size_t fds;            // the kernel can own fds below this
    std::size_t vacancies = 0;  // processes that the kernel can still start
    bool registers_once = true; // the poller needs an fd named once, not at each block
};

} // namespace vk
