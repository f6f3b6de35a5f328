#include "vk/memory/heap_pool.hpp"

#include "vk/base/assert.hpp"

#include <algorithm>

namespace vk {

heap_pool::heap_pool(const shape& wanted, std::pmr::memory_resource* records)
    : heap_pages_(wanted.heap_pages),
      heap_bytes_(round_up(wanted.heap_pages * limits::page_bytes, os::page_bytes())),
      masked_(wanted.masked),
      apart_max_(wanted.apart_max),
      key_count_(wanted.keys.size()),
      memory_(heap_bytes_ * wanted.heaps, masked_ ? os::access::none : os::access::read_write),
      free_(records),
      heaps_(static_cast<std::uint32_t>(wanted.heaps))
{
    VK_REQUIRE(wanted.heap_pages > 0 && wanted.heaps > 0);
    VK_REQUIRE(key_count_ == 0 || (masked_ && key_count_ > 1 && key_count_ <= keys_.size()));
    std::copy(wanted.keys.begin(), wanted.keys.end(), keys_.begin());
    free_.reserve(heaps_);
}

heap_pool::~heap_pool()
{
    VK_ASSERT(taken_ == 0);
}

void* heap_pool::take() noexcept
{
    void* heap = take_pooled();
    if (!heap)
        heap = take_mapped();
    if (heap)
        ++taken_;
    return heap;
}

void* heap_pool::take_pooled() noexcept
{
    std::uint32_t index;
    if (free_.empty() && fresh_ == heaps_)
        discard_one();
    bool fresh = free_.empty();
    if (!fresh)
        index = free_.back();
    else if (fresh_ < heaps_)
        index = fresh_;
    else
        return nullptr;
    void* heap = memory_.base() + index * heap_bytes_;
    if (has_key(index) && os::protect(heap, heap_bytes_, os::access::read_write, key_at(index)) < 0)
        return nullptr;
    if (fresh) {
        ++fresh_;
        prepare(index);
    } else {
        free_.pop_back();
        if (warm_ > 0)
            --warm_;
    }
    return heap;
}

void* heap_pool::take_mapped() noexcept
{
    int error = 0;
    void* heap = os::map(heap_bytes_, masked_ ? os::access::none : os::access::read_write, error);
    if (heap)
        ++overflows_;
    return heap;
}

void heap_pool::prepare(std::uint32_t index) noexcept
{
    // Every second heap carries the flag, so no two neighbours are alike. A failure only costs speed.
    if (masked_ && !has_key(index) && index < apart_max_ && index % 2 == 1)
        (void)os::set_apart(memory_.base() + index * heap_bytes_, heap_bytes_);
}

void heap_pool::give(void* heap, std::size_t pages_used, bool open) noexcept
{
    VK_REQUIRE(taken_ > 0);
    --taken_;
    if (!memory_.contains(heap)) {
        (void)os::unmap(heap, heap_bytes_); // as mapping
        return;
    }
    std::uint32_t index = index_of(heap);
    bool to_close = masked_ && (open || has_key(index));
    if (may_wait(pages_used, to_close)) {
        waiting_[soiled_++] = {index, static_cast<std::uint32_t>(pages_used)};
        soiled_pages_ += pages_used;
        return;
    }
    if (warm_ >= limits::heaps_kept_max || pages_used > limits::heap_pages_kept_max)
        (void)os::discard(heap, heap_bytes_);
    else
        ++warm_;
    if (to_close && has_key(index))
        VK_ASSERT(os::protect(heap, heap_bytes_, os::access::none, key_at(index)) == 0);
    else if (to_close)
        VK_ASSERT(os::protect(heap, heap_bytes_, os::access::none) == 0);
    free_.push_back(index);
}

// A heap that is to be masked is handed back at once: to mask pages takes longer than to be rid of them.
bool heap_pool::may_wait(std::size_t pages_used, bool to_close) const noexcept
{
    return pages_used > limits::heap_pages_kept_max && !to_close && soiled_ < waiting_.size() &&
           soiled_pages_ + pages_used <= limits::heap_pages_soiled_max;
}

void heap_pool::discard_one() noexcept
{
    if (!soiled())
        return;
    const waiting& last = waiting_[--soiled_];
    soiled_pages_ -= last.pages;
    (void)os::discard(memory_.base() + last.index * heap_bytes_, heap_bytes_);
    free_.push_back(last.index);
}

std::uint8_t heap_pool::key_of(const void* heap) const noexcept
{
    if (key_count_ == 0 || !memory_.contains(heap))
        return 0;
    std::uint32_t index = index_of(heap);
    return has_key(index) ? key_at(index) : 0;
}

std::uint32_t heap_pool::index_of(const void* heap) const noexcept
{
    auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(heap) - memory_.base());
    return static_cast<std::uint32_t>(offset / heap_bytes_);
}

} // namespace vk
