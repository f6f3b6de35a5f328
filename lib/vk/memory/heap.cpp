#include "vk/memory/heap.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/memory/mapping.hpp"

#include <new>

namespace vk {

heap& heap::create(void* at, std::size_t pages)
{
    VK_REQUIRE(reinterpret_cast<std::uintptr_t>(at) % limits::page_bytes == 0);
    VK_REQUIRE(pages > 0 && pages < limits::heap_pages_max);
    return *new (at) heap(pages);
}

heap::heap(std::size_t pages)
    : pages_(static_cast<std::uint32_t>(pages)), carved_bytes_(sizeof(heap) + pages * sizeof(run))
{
    first_ = static_cast<std::uint32_t>(round_up(carved_bytes_, limits::page_bytes) /
                                        limits::page_bytes);
    VK_REQUIRE(first_ <= pages_);
    top_ = high_water_ = first_; // runs() needs no clearing: an entry is written before it is read
}

void* heap::carve(std::size_t bytes)
{
    VK_REQUIRE(last_ == none);
    std::size_t at = round_up(carved_bytes_, 64);
    std::size_t pages = pages_for(at + bytes);
    if (pages > pages_) {
        needed_ = pages;
        throw_exhausted();
    }
    carved_bytes_ = at + bytes;
    first_ = top_ = high_water_ = static_cast<std::uint32_t>(pages);
    return base() + at;
}

heap::room heap::rest() noexcept
{
    return {base() + round_up(carved_bytes_, 16), base() + first_ * limits::page_bytes};
}

void* heap::try_take(std::size_t pages) noexcept
{
    VK_REQUIRE(pages > 0);
    if (pages > std::size_t{pages_} - top_) {
        needed_ = top_ + pages;
        return nullptr;
    }
    std::uint32_t at = top_;
    runs()[at] = {last_, static_cast<std::uint32_t>(pages) & 0x7fff'ffff, 0};
    last_ = at;
    top_ += static_cast<std::uint32_t>(pages);
    if (top_ > high_water_)
        high_water_ = top_;
    return base() + at * limits::page_bytes;
}

void* heap::take(std::size_t pages)
{
    if (void* at = try_take(pages)) [[likely]]
        return at;
    throw_exhausted();
}

void heap::give(void* at) noexcept
{
    auto offset = static_cast<std::size_t>(static_cast<std::byte*>(at) - base());
    auto page = static_cast<std::uint32_t>(offset / limits::page_bytes);
    VK_REQUIRE(offset % limits::page_bytes == 0 && page < top_ && page >= first_);
    VK_REQUIRE(runs()[page].pages > 0 && !runs()[page].given);
    runs()[page].given = 1;
    while (last_ != none && runs()[last_].given) {
        top_ = last_;
        last_ = runs()[top_].below;
        runs()[top_] = {};
    }
}

void heap::throw_exhausted() const
{
    log::warn("heap of {} pages exhausted: {} pages needed", pages_, needed_);
    throw heap_exhausted(needed_, pages_);
}

} // namespace vk
