#pragma once

// frame_stack: where the frames of one thread's coroutines are carved, last in first out.
//
// A bump within a segment of heap pages. Each frame is preceded by a header of 16 bytes that knows its stack
// and the frame beneath, so that a frame can be released by any thread of the process and out of order: it
// is then marked, and popped when it reaches the top. When a segment is full the next comes from the heap;
// it goes back when its first frame is popped.
//
//   segment:  [link][header|frame][header|frame] ... top_ ... end_
//
// Invariants
//   last_ is the topmost frame, never a marked one; null when there is none
//   last_ < top_ <= end_, all in one segment
//   marked_ is the number of frames beneath last_ that are released and not yet popped
//   a frame's `below` carries two bits: it is released, and it is the first of a segment from the heap
//
// The stack of the running thread is reached through one thread-local pointer, set by whoever resumes. It is
// read when a frame is made and never kept across a suspension.

#include "vk/memory/heap.hpp"

#include <cstddef>
#include <cstdint>

namespace vk {

class frame_stack {
public:
    /// Carve from `room` first, then from `pages`. Both must outlive the stack.
    frame_stack(heap& pages, heap::room room) noexcept
        : top_(room.begin), end_(room.end), heap_(&pages)
    {
    }
    frame_stack(const frame_stack&) = delete;
    frame_stack& operator=(const frame_stack&) = delete;

    /// Memory for a frame of `bytes`, aligned to 16. Throws heap_exhausted; the stack is as before.
    void* allocate(std::size_t bytes)
    {
        std::size_t need = footprint(bytes);
        if (static_cast<std::size_t>(end_ - top_) < need) [[unlikely]]
            return allocate_in_new_segment(need);
        return push(need);
    }

    /// Release what some stack's allocate() returned.
    static void release(void* memory) noexcept
    {
        frame* released = static_cast<frame*>(memory) - 1;
        frame_stack* stack = released->stack;
        if (stack->last_ != released || ((released->below & bits) | stack->marked_) != 0)
            [[unlikely]]
            return stack->release_slowly(released);
        stack->last_ = reinterpret_cast<frame*>(released->below);
        stack->top_ = reinterpret_cast<std::byte*>(released);
    }

    heap& pages() const noexcept { return *heap_; }

    /// Whether no frame lives.
    bool empty() const noexcept { return last_ == nullptr; }

    /// The stack of the thread that runs, null outside of one.
    [[gnu::tls_model("initial-exec")]] static inline constinit thread_local frame_stack* current =
        nullptr;

private:
    struct frame {
        frame_stack* stack;
        std::uintptr_t below; // the frame beneath, and two bits
    };
    static_assert(sizeof(frame) == 16);

    static constexpr std::uintptr_t released_bit = 1;
    static constexpr std::uintptr_t first_bit = 2;
    static constexpr std::uintptr_t bits = released_bit | first_bit;

    // The start of a segment from the heap: what to return to when it is popped.
    struct link {
        std::byte* top;
        std::byte* end;
    };
    static_assert(sizeof(link) % 16 == 0);

    static constexpr std::size_t footprint(std::size_t bytes) noexcept
    {
        return ((bytes + 15) & ~std::size_t{15}) + sizeof(frame);
    }

    void* push(std::size_t need) noexcept
    {
        auto* pushed = reinterpret_cast<frame*>(top_);
        pushed->stack = this;
        pushed->below = reinterpret_cast<std::uintptr_t>(last_);
        last_ = pushed;
        top_ += need;
        return pushed + 1;
    }

    [[gnu::cold]] void* allocate_in_new_segment(std::size_t need);
    [[gnu::cold]] void release_slowly(frame* released) noexcept;
    void pop() noexcept;

    std::byte* top_ = nullptr;
    std::byte* end_ = nullptr;
    frame* last_ = nullptr;
    std::uintptr_t marked_ = 0;
    heap* heap_;
};

} // namespace vk
