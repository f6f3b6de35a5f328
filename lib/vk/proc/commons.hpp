#pragma once

// commons: the memory that a running process shares with its kernel.
//
// Everything a dispatch may touch besides the process's own heap: counters, the clock of this turn, the
// lender of ring buffers, the mailbox for requests. It lies outside of the kernel's heap, which may be masked
// while a process runs.

#include "vk/base/global_account.hpp"
#include "vk/base/time.hpp"
#include "vk/memory/lender.hpp"
#include "vk/proc/counters.hpp"
#include "vk/proc/request.hpp"

namespace vk {

/// Memory that is soon touched. With many connections it is in no near cache, and a burst of more lines than can be on
/// their way at once is waited for: so there are two, each with a system call behind it that takes as long.
class coming_memory {
public:
    void expect(const void* process) noexcept { at_ = static_cast<const std::byte*>(process); }

    /// The process, its first thread, its topmost frames.
    void fetch_first() const noexcept { fetch(0); }

    /// What a service keeps in its frames.
    void fetch_second() const noexcept { fetch(burst_bytes); }

private:
    static constexpr std::size_t burst_bytes = 1024;

    // A masked page is no fault for a prefetch.
    void fetch(std::size_t from) const noexcept
    {
        if (at_)
            for (std::size_t line = 0; line < burst_bytes; line += 64)
                __builtin_prefetch(at_ + from + line, 1);
    }

    const std::byte* at_ = nullptr;
};

struct commons {
    /// For a kernel with a table of `fds_max`, and one of `ties_max`; none without a kernel. Throws vk::error.
    explicit commons(std::size_t blocks_max, std::size_t fds_max = 0, std::size_t ties_max = 0)
        : blocks(blocks_max), requests(fds_max, ties_max), fds(fds_max)
    {
    }

    counters count;
    nanoseconds now = 0; // when this turn of the kernel's loop began
    lender blocks;
    mailbox requests;
    std::size_t fds;            // the kernel can own fds below this
    std::size_t vacancies = 0;  // processes that the kernel can still start
    std::size_t ties = 0;       // ties between processes that the kernel can still keep
    coming_memory coming;       // of the process that is dispatched next
    bool registers_once = true; // the poller needs an fd named once, not at each block

    // What a process that is made from now on may have of the global heap.
    std::size_t global_bytes_max = global_account::unlimited;
};

} // namespace vk
