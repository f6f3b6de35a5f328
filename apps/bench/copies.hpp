#pragma once

// copies: the baseline of what moves bytes through memory of its own: memcpy in, and memcpy out.

#include "bench/meter.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vk::bench {

/// Time `n` copies of the first `length` bytes of `from` into `between`, and on into `to`. The length is known at run time only, as that of
/// what passes a ring is.
template <class Bytes>
std::int64_t time_copies(std::uint64_t n, std::size_t length, const Bytes& from, Bytes& between,
                         Bytes& to)
{
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 0; i < n; ++i) {
        disturb(length);
        std::memcpy(between.data(), from.data(), length);
        disturb_memory();
        std::memcpy(to.data(), between.data(), length);
        disturb_memory();
    }
    return now_ns() - began;
}

} // namespace vk::bench
