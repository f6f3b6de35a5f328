#pragma once

// uring_turn: what the drivers on io_uring have in common: what an operation brings back, and how a wait ends.

#include "vk/base/limits.hpp"
#include "vk/base/time.hpp"
#include "vk/base/uring.hpp"
#include "vk/proc/counters.hpp"

#include <cstdint>
#include <utility>

namespace vk {

/// Places of a ring.
inline constexpr unsigned submissions_max = 4096;
inline constexpr unsigned completions_max = 16'384;

/// What a completion brings back of its operation: what it was for (below 16), its fd, and which of those that bore the
/// fd's number.
struct about {
    unsigned what;
    int fd;
    std::uint32_t generation;

    static constexpr int what_bits = 4;
    static constexpr std::uint32_t generations = 1u << (32 - what_bits);

    std::uint64_t pack() const noexcept
    {
        return std::uint64_t{static_cast<std::uint32_t>(fd)} << 32 | generation << what_bits | what;
    }
    static about unpack(std::uint64_t from) noexcept
    {
        auto low = static_cast<std::uint32_t>(from);
        return {low & ((1u << what_bits) - 1), static_cast<int>(from >> 32), low >> what_bits};
    }
};

/// Submit what was prepared, wait, and call `complete` with each completion: what it is about, its result and its flags.
template <class Complete>
void take_turn(os::uring& ring, counters& count, nanoseconds timeout, Complete complete) noexcept
{
    // Operations that one enter completes, about; there may be more (IO_LOCAL_TW_DEFAULT_MAX, since Linux 6.13).
    constexpr unsigned enter_max = 20;

    unsigned taken = 0;
    unsigned last = 0;
    do {
        ++count.waits;
        (void)ring.enter(std::exchange(timeout, 0));
        last = ring.completions([&](std::uint64_t of, int result, unsigned flags) {
            complete(about::unpack(of), result, flags);
        });
        taken += last;
    } while (ring.overflown() || (last >= enter_max && taken < unsigned{limits::poll_events_max}));
}

} // namespace vk
