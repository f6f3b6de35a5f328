#pragma once

// buffer: a ring with its storage.
//
// Storage comes when there are bytes to hold: a lent block first, pages of the process's heap where no block
// is to be had or a line outgrows one. It goes when the ring is empty and its socket blocks.

#include "vk/io/ring.hpp"
#include "vk/memory/lender.hpp"
#include "vk/proc/process.hpp"

namespace vk {

class buffer : public ring {
public:
    buffer() = default;
    ~buffer() { VK_ASSERT(!attached()); }

    /// Have storage. False when neither the lender nor the heap has room; the heap then knows what it lacks.
    bool acquire(process& owner) noexcept { return attached() || acquire_slowly(owner); }

    /// Have at least twice the storage, from the heap. False as acquire().
    bool grow(process& owner) noexcept;

    /// Give storage back if the ring is empty.
    void give_back(process& owner) noexcept
    {
        if (attached() && used() == 0)
            give_back_slowly(owner);
    }

    /// Drop what is in the ring, and give storage back.
    void discard(process& owner) noexcept
    {
        release();
        consume(size());
        give_back(owner);
    }

    /// Take all of `full`, leaving it empty, without copying. Only when both have a lent block and this ring is
    /// empty; returns whether it was done.
    bool take_all(buffer& full) noexcept;

private:
    bool acquire_slowly(process& owner) noexcept;
    void give_back_slowly(process& owner) noexcept;

    lease lease_;
    void* run_ = nullptr; // pages of the heap, when the storage is not a lent block
};

} // namespace vk
