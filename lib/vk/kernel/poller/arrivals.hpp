#pragma once

// arrivals: what was received and not read yet, in buffers that all connections share.
//
// The buffers are filled by the system, which gives them out in its own order; here they are queued, by fd. A queue is
// a list through the buffers' numbers, so that it needs no memory of its own.

#include "vk/memory/mapping.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vk {

class arrivals {
public:
    static constexpr unsigned buffers = 1024; // a power of two
    static constexpr unsigned buffer_bytes = 4096;

    // Apart by more than a page, so that the heads of buffers do not meet in few sets of a cache.
    static constexpr unsigned stride = buffer_bytes + 64;

    static constexpr std::uint16_t none = 0xffff;

    struct queue {
        std::uint16_t first = none;
        std::uint16_t last = none;
        std::uint16_t held = 0; // buffers

        bool empty() const noexcept { return held == 0; }
    };

    /// Throws vk::error (ENOMEM).
    arrivals() : memory_(std::size_t{buffers} * stride) {}

    std::byte* memory() const noexcept { return memory_.base(); }

    /// Buffers that the system has to fill.
    unsigned left() const noexcept { return left_; }

    /// The system has put `bytes` into `buffer`.
    void add(queue& to, unsigned buffer, std::size_t bytes) noexcept
    {
        --left_;
        auto number = static_cast<std::uint16_t>(buffer);
        parts_[number] = {0, static_cast<std::uint16_t>(bytes), none};
        if (to.empty())
            to.first = number;
        else
            parts_[to.last].next = number;
        to.last = number;
        ++to.held;
    }

    /// Move up to `bytes` of `from` to `to`, and call `give_back` with each buffer that is empty then.
    template <class GiveBack>
    std::size_t take(queue& from, char* to, std::size_t bytes, GiveBack give_back) noexcept
    {
        std::size_t taken = 0;
        while (taken < bytes && !from.empty()) {
            part& front = parts_[from.first];
            std::size_t count = std::min<std::size_t>(bytes - taken, front.end - front.begin);
            const std::byte* at = memory() + std::size_t{from.first} * stride + front.begin;
            std::memcpy(to + taken, at, count);
            taken += count;
            front.begin = static_cast<std::uint16_t>(front.begin + count);
            if (front.begin == front.end)
                pop(from, give_back);
        }
        return taken;
    }

    /// Drop all of `from`.
    template <class GiveBack>
    void drop(queue& from, GiveBack give_back) noexcept
    {
        while (!from.empty())
            pop(from, give_back);
    }

private:
    struct part {
        std::uint16_t begin;
        std::uint16_t end;
        std::uint16_t next;
    };

    template <class GiveBack>
    void pop(queue& from, GiveBack give_back) noexcept
    {
        std::uint16_t number = from.first;
        from.first = parts_[number].next;
        --from.held;
        ++left_;
        give_back(unsigned{number});
    }

    mapping memory_;
    unsigned left_ = buffers;
    std::array<part, buffers> parts_;
};

} // namespace vk
