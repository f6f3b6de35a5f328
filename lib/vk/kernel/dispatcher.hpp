#pragma once

// dispatcher: runs a batch of processes, with the memory of all others out of reach.
//
// The kernel writes the batch, the dispatcher runs it, the kernel reads the results. Between the two the
// kernel's heap may be masked, so this object, the batch and the commons lie outside of it, and nothing here
// touches kernel memory.
//
// What is closed meanwhile, and what that costs: mask.hpp.

#include "vk/base/exit_reason.hpp"
#include "vk/base/faults.hpp"
#include "vk/kernel/mask.hpp"
#include "vk/kernel/news_board.hpp"
#include "vk/kernel/options.hpp"
#include "vk/kernel/order.hpp"
#include "vk/kernel/program.hpp"
#include "vk/kernel/refusals.hpp"
#include "vk/memory/mapping.hpp"
#include "vk/proc/commons.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vk {

/// One dispatch: what the kernel says of it, and what came of it. A cache line.
struct alignas(64) dispatch {
    // Written by the kernel.
    std::byte* heap;
    process* local; // null: the process is to be made, to run `what` on `fd`
    const program* what;
    std::uint64_t id;
    int fd;
    std::uint32_t process_index;
    std::uint16_t first_note;
    std::uint16_t notes;
    order orders;
    bool privileged;  // the kernel's heap stays open to it
    std::uint8_t key; // protection key of the heap, or 0

    // Written by the dispatcher.
    outcome result;
    std::uint32_t pages_used; // high water of its heap, once it has ended
    lender::holder blocks;    // those that it keeps; the kernel's word before, the lender's after
    nanoseconds deadline;     // when it wants to run again
};
static_assert(sizeof(dispatch) == 64);

/// Readiness to hand over.
struct note {
    descriptor* where;
    int fd;
    ready bits;
    std::uint16_t there; // as the fd's record has it
};
static_assert(sizeof(note) == 16);

class dispatcher {
public:
    struct layout {
        enum isolation isolation;
        mask_way way;
        std::size_t heap_pages;
        std::size_t heap_bytes;
        std::size_t blocks;
        std::size_t fds;
        std::size_t ties;
        std::byte* kernel_heap;
        std::size_t kernel_heap_bytes;
        enum syscall_gate gate = syscall_gate::off;
    };
    explicit dispatcher(const layout& memory)
        : shared(memory.blocks, memory.fds, memory.ties),
          refused(memory.gate, shared.count),
          heap_pages_(memory.heap_pages),
          mask_({memory.isolation, memory.way, memory.heap_bytes, memory.kernel_heap,
                 memory.kernel_heap_bytes},
                shared.count.masks),
          landing_(shared.count.faults)
    {
        landing_.on_signal(
            [](void* self) noexcept { static_cast<dispatcher*>(self)->mask_.reopen(); }, this);
    }

    /// A place for one more dispatch and a note, or null when the batch is full.
    dispatch* add() noexcept
    {
        if (count_ == batch_.size() || note_count_ == notes_.size())
            return nullptr;
        dispatch& next = batch_[count_++];
        next.first_note = static_cast<std::uint16_t>(note_count_);
        next.notes = 0;
        return &next;
    }

    /// Add a note to the dispatch that was added last. Returns false when there is no room.
    bool add_note(const note& one) noexcept
    {
        if (note_count_ == notes_.size())
            return false;
        notes_[note_count_++] = one;
        ++batch_[count_ - 1].notes;
        return true;
    }

    /// Where the news for `one`, a dispatch of this batch, go, and its number there.
    news_board& board() noexcept { return board_; }
    std::size_t number_of(const dispatch& one) const noexcept
    {
        return static_cast<std::size_t>(&one - batch_.data());
    }

    /// Run every dispatch of the batch.
    void run() noexcept;

    /// Why the process of `done`, a dispatch of this batch, has ended.
    const exit_reason& reason_of(const dispatch& done) const noexcept
    {
        return reasons_[number_of(done)];
    }

    std::span<const dispatch> batch() const noexcept { return {batch_.data(), count_}; }
    bool empty() const noexcept { return count_ == 0; }
    void clear() noexcept
    {
        count_ = note_count_ = 0;
        board_.clear();
    }

    /// Take back the blocks that a process keeps which will not run again.
    void take_back_blocks(lender::holder& of) noexcept;

    /// Whether `heap` is open, since it ran last; it is then forgotten, for whoever masks it.
    bool forget(const std::byte* heap) noexcept;

    const mask& masking() const noexcept { return mask_; }

    /// For the gate, if there is one.
    gate::watcher watcher() noexcept
    {
        return {refusals::refuse, &refused,
                [](void* self) noexcept { static_cast<dispatcher*>(self)->mask_.reopen(); }, this};
    }

    commons shared;
    refusals refused;

    static constexpr std::size_t notes_max = 4 * limits::batch_processes_max;

private:
    void run_rest() noexcept;
    void run_one(dispatch& now) noexcept;
    void drop(dispatch& lost) noexcept;
    exit_reason& reason_for(const dispatch& now) noexcept { return reasons_[number_of(now)]; }
    void make(dispatch& now) noexcept;
    static void give_orders(process& to, order orders) noexcept;
    void open(const dispatch& now) noexcept;

    std::size_t heap_pages_;
    mask mask_;
    landing landing_;
    std::size_t running_ = 0;        // which of the batch
    lender::holder open_blocks_ = 0; // what the process keeps whose heap ran last
    std::size_t count_ = 0;
    std::size_t note_count_ = 0;
    std::array<dispatch, limits::batch_processes_max> batch_;
    std::array<note, notes_max> notes_;
    std::array<exit_reason, limits::batch_processes_max> reasons_; // of those that ended
    news_board board_;
};

} // namespace vk
