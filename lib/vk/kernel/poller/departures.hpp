#pragma once

// departures: what processes wrote and the system has not been given yet, a slot for each connection that has some.

#include "vk/memory/mapping.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace vk {

class departures {
public:
    static constexpr unsigned slots = 512;
    static constexpr unsigned slot_bytes = 4096;
    static constexpr std::uint16_t none = 0xffff;

    enum class state : std::uint8_t {
        free,
        gathering, // goes out with the next wait
        leaving,   // is with the system
        waiting,   // for room: the system took less
    };

    /// Throws vk::error (ENOMEM).
    departures() : memory_(std::size_t{slots} * slot_bytes)
    {
        for (std::uint16_t slot = slots; slot-- > 0;)
            free_[free_count_++] = slot;
    }

    /// A slot for the output of `fd`, or none.
    std::uint16_t take(int fd) noexcept
    {
        if (free_count_ == 0)
            return none;
        std::uint16_t slot = free_[--free_count_];
        part& fresh = parts_[slot];
        if (!std::exchange(fresh.listed, true))
            list_[listed_++] = slot;
        fresh = {fd, 0, 0, state::gathering, true};
        return slot;
    }

    /// Slots that were taken since gone(), though some may be free again.
    std::span<const std::uint16_t> going_out() const noexcept { return {list_.data(), listed_}; }

    void gone() noexcept
    {
        for (std::uint16_t slot : going_out())
            parts_[slot].listed = false;
        listed_ = 0;
    }

    void give_back(std::uint16_t slot) noexcept
    {
        parts_[slot].now = state::free;
        free_[free_count_++] = slot;
    }

    int fd_of(std::uint16_t slot) const noexcept { return parts_[slot].fd; }
    state state_of(std::uint16_t slot) const noexcept { return parts_[slot].now; }
    void set_state(std::uint16_t slot, state now) noexcept { parts_[slot].now = now; }

    /// Add `bytes` bytes. Returns false when they do not fit.
    bool add(std::uint16_t slot, const void* from, std::size_t bytes) noexcept
    {
        part& to = parts_[slot];
        if (bytes > slot_bytes - to.end)
            return false;
        std::memcpy(at(slot) + to.end, from, bytes);
        to.end = static_cast<std::uint16_t>(to.end + bytes);
        return true;
    }

    /// What has not been taken by the system.
    std::string_view left(std::uint16_t slot) const noexcept
    {
        const part& of = parts_[slot];
        return {reinterpret_cast<const char*>(at(slot)) + of.begin,
                static_cast<std::size_t>(of.end - of.begin)};
    }

    /// The system has taken `bytes` of it.
    void consume(std::uint16_t slot, std::size_t bytes) noexcept
    {
        parts_[slot].begin = static_cast<std::uint16_t>(parts_[slot].begin + bytes);
    }

private:
    struct part {
        int fd;
        std::uint16_t begin;
        std::uint16_t end;
        state now;
        bool listed; // in the list
    };

    std::byte* at(std::uint16_t slot) const noexcept
    {
        return memory_.base() + std::size_t{slot} * slot_bytes;
    }

    mapping memory_;
    unsigned free_count_ = 0;
    std::array<std::uint16_t, slots> free_;
    std::array<part, slots> parts_{};
    unsigned listed_ = 0;
    std::array<std::uint16_t, slots> list_;
};

} // namespace vk
