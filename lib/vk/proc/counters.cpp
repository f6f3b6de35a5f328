#include "vk/proc/counters.hpp"

#include <algorithm>

namespace vk {

counters& counters::operator+=(const counters& other) noexcept
{
    constexpr std::size_t fields = sizeof(counters) / sizeof(std::uint64_t);
    std::uint64_t pages = std::max(heap_pages_high_water, other.heap_pages_high_water);
    std::uint64_t bytes = std::max(global_bytes_high_water, other.global_bytes_high_water);
    auto* mine = reinterpret_cast<std::uint64_t*>(this);
    auto* theirs = reinterpret_cast<const std::uint64_t*>(&other);
    for (std::size_t field = 0; field < fields; ++field)
        mine[field] += theirs[field];
    heap_pages_high_water = pages;
    global_bytes_high_water = bytes;
    return *this;
}

} // namespace vk
