#pragma once

// buffer: a ring with its storage.
//
// Storage comes when there are bytes to hold: a lent block first, pages of the process's heap where no block
// is to be had or a line outgrows one. It goes when the ring is empty and its socket blocks; a block that
// must stay is masked with its process.

#include "vk/io/ring.hpp"
#include "vk/memory/lender.hpp"
#include "vk/proc/process.hpp"

namespace vk {

class buffer : public ring {
public:
    buffer() = default;
    ~buffer() { VK_ASSERT(!attached()); }

    /// Have storage. False when neither the lender nor the heap has room; the heap then knows what it lacks.
    bool acquire(process& owner) noexcept
    {
        if (attached())
            return true;
        block_ = owner.shared().blocks.lend();
        if (!block_) [[unlikely]]
            return acquire_pages(owner);
        attach(reinterpret_cast<char*>(block_), limits::block_bytes);
        return true;
    }

    /// Have twice the storage, from the heap. False as acquire(). Nothing may be held.
    bool grow(process& owner) noexcept;

    /// Give storage back if the ring is empty.
    void settle(process& owner) noexcept
    {
        if (attached() && used() == 0)
            give_back(owner);
    }

    /// Drop what is in the ring, and give storage back.
    void discard(process& owner) noexcept
    {
        release();
        consume(size());
        settle(owner);
    }

    /// Exchange contents and storage.
    void swap(buffer& other) noexcept
    {
        ring::swap(other);
        std::swap(block_, other.block_);
        std::swap(run_, other.run_);
    }

    /// Take all of `full`, leaving it empty, without copying. Only when both have a lent block and this ring is
    /// empty; returns whether it was done.
    bool take_all(buffer& full) noexcept;

private:
    bool acquire_pages(process& owner) noexcept;
    void give_back(process& owner) noexcept
    {
        std::size_t touched = detach();
        if (run_) [[unlikely]] {
            owner.heap().give(std::exchange(run_, nullptr));
            return;
        }
        owner.shared().blocks.take_back(std::exchange(block_, nullptr), touched);
    }

    std::byte* block_ = nullptr; // the storage, when it is a lent one
    void* run_ = nullptr;        // pages of the heap, when it is not
};

} // namespace vk
