#pragma once

// heap: the page-aligned memory of one process, or of anything else with one life.
//
// A fixed number of pages, taken and given back as runs in stack order. A run given back out of order is
// marked and popped when it reaches the top. The heap's own record lies at the start of its memory, so
// that one contiguous range holds everything: what is left of the first pages after it is carved once, for
// what lives as long as the heap (carve()).
//
// Why a stack and not a free list: what a process allocates are frames, buffers and threads, whose lives
// nest; taking and giving is then an addition, and the pages in use are the hottest ones.
//
// Invariants
//   first_ <= top_ <= pages_                    pages below first_ are carved, those from top_ on are free
//   runs()[p] is set for each page p < top_ at which a run starts, and means nothing elsewhere
//   the run that ends at top_ is never marked as given back

#include "vk/base/limits.hpp"

#include <cstddef>
#include <cstdint>

namespace vk {

/// Pages that hold `bytes`.
constexpr std::size_t pages_for(std::size_t bytes) noexcept
{
    return (bytes + limits::page_bytes - 1) / limits::page_bytes;
}

class heap {
public:
    /// Make a heap of `pages` pages over the memory at `at`, page-aligned, of pages × limits::page_bytes.
    /// The memory stays the caller's; nothing needs to be destroyed.
    static heap& create(void* at, std::size_t pages);

    heap(const heap&) = delete;
    heap& operator=(const heap&) = delete;

    /// Carve `bytes` (aligned to a cache line) for the life of the heap. Only before the first take().
    void* carve(std::size_t bytes);

    /// What is left of the last carved page: used by the first frame stack.
    struct room {
        std::byte* begin;
        std::byte* end;
    };
    room rest() noexcept;

    /// Take a run of `pages` contiguous pages. Throws heap_exhausted and logs the pages needed; the heap is
    /// as before.
    void* take(std::size_t pages);

    /// As take(), but null when there is no room; throw_exhausted() then says what was needed.
    void* try_take(std::size_t pages) noexcept;

    /// Log how many pages the last try_take() that failed would have needed, and throw heap_exhausted.
    [[noreturn, gnu::cold]] void throw_exhausted() const;

    /// Give back a run that take() returned.
    void give(void* run) noexcept;

    std::byte* base() const noexcept
    {
        return const_cast<std::byte*>(reinterpret_cast<const std::byte*>(this));
    }
    std::size_t pages() const noexcept { return pages_; }
    std::size_t bytes() const noexcept { return pages_ * limits::page_bytes; }

    /// Pages up to the top of the stack, carved ones included.
    std::size_t pages_used() const noexcept { return top_; }

    /// The most that pages_used() has been.
    std::size_t pages_high_water() const noexcept { return high_water_; }

private:
    struct run {
        std::uint32_t below; // first page of the run beneath
        std::uint32_t pages : 31;
        std::uint32_t given : 1; // given back, waiting to reach the top
    };

    explicit heap(std::size_t pages);

    std::uint32_t pages_;
    std::uint32_t first_ = 0;
    std::uint32_t top_ = 0;
    std::uint32_t high_water_ = 0;
    std::uint32_t last_ = none; // first page of the run on top
    std::size_t needed_ = 0;    // pages that the last failed try_take() would have needed
    std::size_t carved_bytes_;

    static constexpr std::uint32_t none = ~std::uint32_t{0};
    run* runs() noexcept { return reinterpret_cast<run*>(this + 1); }
};

} // namespace vk
