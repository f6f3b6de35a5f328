#include "support/sim/memory.hpp"

#include <algorithm>
#include <iterator>

namespace vk::sim {

memory_books& memory_books::get()
{
    static memory_books books;
    return books;
}

void memory_books::add(void* at, std::size_t bytes)
{
    const auto begin = reinterpret_cast<std::uintptr_t>(at);
    ranges_[begin] = begin + bytes;
    bytes_ += bytes;
}

bool memory_books::holds(void* at, std::size_t bytes) const
{
    auto begin = reinterpret_cast<std::uintptr_t>(at);
    const auto end = begin + bytes;
    auto range = ranges_.upper_bound(begin);
    if (range == ranges_.begin())
        return false;
    for (--range; range != ranges_.end() && range->first <= begin; ++range) {
        if (range->second >= end)
            return true;
        begin = std::max(begin, range->second);
    }
    return false;
}

bool memory_books::remove(void* at, std::size_t bytes)
{
    const auto begin = reinterpret_cast<std::uintptr_t>(at);
    const auto end = begin + bytes;
    std::size_t removed = 0;
    auto range = ranges_.upper_bound(begin);
    if (range != ranges_.begin())
        --range;
    while (range != ranges_.end() && range->first < end) {
        const auto [from, to] = *range;
        if (to <= begin) {
            ++range;
            continue;
        }
        range = ranges_.erase(range);
        if (from < begin)
            ranges_[from] = begin;
        if (to > end)
            ranges_[end] = to;
        removed += std::min(to, end) - std::max(from, begin);
    }
    bytes_ -= removed;
    return removed == bytes;
}

} // namespace vk::sim
