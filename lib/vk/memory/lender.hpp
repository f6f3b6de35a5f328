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
#include <cstdint>

namespace vk {

/// A block on loan, or none. Linked into its process's list while it holds one.
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

    /// Lend a block to `to`, whose bytes read as zero or as scrubbed, or leave it without one when all are
    /// out. Returns whether it has one.
    bool lend(lease& to, lease_list& borrower) noexcept
    {
        if (free_ == none) [[unlikely]]
            if (!add_block())
                return false;
        std::uint32_t index = free_;
        free_ = next()[index];
        --free_count_;
        to.block = blocks() + index * limits::block_bytes;
        borrower.push_back(to);
        return true;
    }

    /// Take back the block of `from`, of which the first `bytes_used` bytes were written.
    void take_back(lease& from, std::size_t bytes_used) noexcept;

    /// Blocks on loan.
    std::size_t lent() const noexcept { return made_ - free_count_; }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    bool add_block() noexcept;
    std::uint32_t* next() const noexcept
    {
        return reinterpret_cast<std::uint32_t*>(memory_.base());
    }
    std::byte* blocks() const noexcept { return memory_.base() + list_bytes_; }

    std::uint32_t blocks_max_;
    std::size_t list_bytes_; // the free list's links lie before the blocks
    mapping memory_;
    std::uint32_t free_ = none;
    std::uint32_t made_ = 0; // blocks that were ever lent
    std::uint32_t free_count_ = 0;
};

} // namespace vk
