#pragma once

// lender: ring buffers lent to the process that runs.
//
// A connection that waits for its next request has empty rings; memory for them would be the largest part
// of what it costs. So rings own no memory: a dispatch borrows blocks from a small stack of hot ones,
// shared by all processes in turn, and returns those whose ring is empty when the process blocks, scrubbed
// of the bytes that were used. A ring with bytes in it keeps its block, which is masked with its process.
// The block stays where it is, so that a view into the ring (readline()) survives a suspension.
//
// The lender lies outside of the kernel's heap: a running process borrows without touching kernel memory.

#include "vk/base/limits.hpp"
#include "vk/memory/mapping.hpp"

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstring>

namespace vk {

/// A block that a process keeps between dispatches: a node of its list.
struct lease
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    std::byte* block = nullptr;
};

using lease_list = boost::intrusive::list<lease, boost::intrusive::constant_time_size<false>>;

class lender {
public:
    /// Reserve address space for `blocks` blocks of limits::block_bytes. Throws vk::error.
    explicit lender(std::size_t blocks);
    lender(const lender&) = delete;
    lender& operator=(const lender&) = delete;

    /// A block whose bytes read as zero, or null when all are out.
    std::byte* lend() noexcept
    {
        if (free_ == 0) [[unlikely]]
            return make_block();
        return stack()[--free_];
    }

    /// Take back what lend() returned, of which the first `bytes_used` bytes were written.
    void take_back(std::byte* block, std::size_t bytes_used) noexcept
    {
        // Most often a request or an answer was small, and no call is needed.
        if (bytes_used <= small_bytes && free_ < limits::blocks_kept_max) [[likely]] {
            std::memset(block, 0, small_bytes);
            stack()[free_++] = block;
            return;
        }
        take_back_large(block, bytes_used);
    }

    /// Blocks on loan.
    std::size_t lent() const noexcept { return made_ - free_; }

private:
    static constexpr std::size_t small_bytes = 128;

    std::byte* make_block() noexcept;
    void take_back_large(std::byte* block, std::size_t bytes_used) noexcept;
    std::byte** stack() const noexcept { return reinterpret_cast<std::byte**>(memory_.base()); }

    std::size_t blocks_max_;
    std::size_t stack_bytes_; // the stack of free blocks lies before the blocks
    mapping memory_;
    std::size_t free_ = 0; // blocks on the stack
    std::size_t made_ = 0; // blocks that were ever lent
};

} // namespace vk
