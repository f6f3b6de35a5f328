#pragma once

// lender: ring buffers lent to the process that runs.
//
// A connection that waits for its next request has empty rings; memory for them would be the largest part
// of what it costs. So rings own no memory: a dispatch borrows blocks from a small stack of hot ones,
// shared by all processes in turn, and returns those whose ring is empty when the process blocks, scrubbed
// of the bytes that were used. A ring with bytes in it keeps its block, which is masked with its process.
// The block stays where it is, so that a view into the ring (readline()) survives a suspension.
//
// The lender lies outside of the kernel's heap: a running process borrows without touching kernel memory. It knows
// who holds what, in lists of its own: the heap of a process that is dropped is not to be trusted with that.
//
//   memory:  [stack of free blocks][links][blocks ...]
//
// Invariants
//   a block that was made is on the stack or in the list of one holder
//   a holder is the place, plus one, of the first block of its list; 0 when it holds none

#include "vk/base/limits.hpp"
#include "vk/memory/mapping.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vk {

class lender {
public:
    /// Who holds blocks: the head of a list, which lies with whoever speaks for the holder.
    using holder = std::uint32_t;

    /// Reserve address space for `blocks` blocks of limits::block_bytes. Throws vk::error.
    explicit lender(std::size_t blocks);
    lender(const lender&) = delete;
    lender& operator=(const lender&) = delete;

    /// Lend to `who` from now on, until its next call.
    void lend_to(holder& who) noexcept { holder_ = &who; }

    /// A block whose bytes read as zero, or null when all are out.
    std::byte* lend() noexcept
    {
        if (free_ == 0) [[unlikely]]
            return lend_new();
        std::byte* block = stack()[--free_];
        enlist(index_of(block));
        return block;
    }

    /// Take back what lend() returned to the same holder, of which the first `bytes_used` bytes were written.
    void take_back(std::byte* block, std::size_t bytes_used) noexcept
    {
        delist(index_of(block));
        // Most often a request or an answer was small, and no call is needed.
        if (bytes_used <= small_bytes && free_ < limits::blocks_kept_max) [[likely]] {
            std::memset(block, 0, small_bytes);
            stack()[free_++] = block;
            return;
        }
        take_back_large(block, bytes_used);
    }

    /// Take back all that `who` holds, which is open and in any state.
    void take_back_all(holder& who) noexcept;

    /// Call `visit(block)` for each block that `who` holds.
    template <class Visit>
    void for_each_of(holder who, Visit&& visit) const
    {
        for (; who != 0; who = links()[who - 1].next)
            visit(block_at(who - 1));
    }

    /// Blocks on loan.
    std::size_t lent() const noexcept { return made_ - free_; }

private:
    static constexpr std::size_t small_bytes = 128;

    // Neighbours in the list of the block's holder, as a holder counts them.
    struct link {
        std::uint32_t next;
        std::uint32_t before;
    };

    std::byte* lend_new() noexcept;
    void take_back_large(std::byte* block, std::size_t bytes_used) noexcept;
    std::byte** stack() const noexcept { return reinterpret_cast<std::byte**>(memory_.base()); }
    link* links() const noexcept { return reinterpret_cast<link*>(stack() + blocks_max_); }
    std::byte* block_at(std::size_t index) const noexcept
    {
        return memory_.base() + records_bytes_ + index * limits::block_bytes;
    }
    std::uint32_t index_of(const std::byte* block) const noexcept
    {
        auto offset = static_cast<std::size_t>(block - memory_.base()) - records_bytes_;
        return static_cast<std::uint32_t>(offset / limits::block_bytes);
    }
    void enlist(std::uint32_t index) noexcept
    {
        links()[index] = {*holder_, 0};
        if (*holder_ != 0)
            links()[*holder_ - 1].before = index + 1;
        *holder_ = index + 1;
    }
    void delist(std::uint32_t index) noexcept
    {
        link out = links()[index];
        if (out.next != 0)
            links()[out.next - 1].before = out.before;
        if (out.before != 0)
            links()[out.before - 1].next = out.next;
        else
            *holder_ = out.next;
    }

    std::size_t blocks_max_;
    std::size_t records_bytes_; // the stack and the links, which lie before the blocks
    mapping memory_;
    std::size_t free_ = 0; // blocks on the stack
    std::size_t made_ = 0; // blocks that were ever lent
    holder nobody_ = 0;    // who holds what is lent where no kernel says to whom
    holder* holder_ = &nobody_;
};

} // namespace vk
