#pragma once

// heap_pool: equal heaps in one mapping, for processes that come and go.
//
// A heap that is given back is the next one taken, while it is hot. When the pool is exhausted a heap comes
// from a fresh mapping of its own, and a counter says so. Physical memory follows use: the system backs a
// page when it is first touched, and the pool hands it back for heaps that used many pages and for free
// heaps beyond a number kept warm. Handing back takes as long as there are pages, so a heap that used many
// waits (it is soiled) until there is time for it (discard_one()), and the end of its process takes no longer
// than that of another.
//
// Masked pools: a heap rests without access rights and the holder opens it (os::protect). Each heap is then
// its own kernel mapping (VMA) as long as `apart_max` allows, its neighbours kept from merging by a harmless
// flag, because changing the rights of a whole mapping costs a third of splitting one and merging it again.
//
// With protection keys each heap that has a VMA of its own has a key, never that of a neighbour, and rights while it is
// taken: the holder opens the key. The others are masked as without.

#include "vk/base/limits.hpp"
#include "vk/base/pkey.hpp"
#include "vk/memory/mapping.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace vk {

class heap_pool {
public:
    struct shape {
        std::size_t heap_pages = limits::heap_pages_default;
        std::size_t heaps = 1024;
        bool masked = false;
        std::size_t apart_max = 0;            // heaps that get a VMA of their own, when masked
        std::span<const std::uint8_t> keys{}; // which those heaps have in turn; none: no keys
    };

    /// `records` holds the pool's own lists, so that they can lie in the kernel's heap. Throws vk::error
    /// when the address space is not to be had.
    heap_pool(const shape& wanted,
              std::pmr::memory_resource* records = std::pmr::get_default_resource());
    ~heap_pool();
    heap_pool(const heap_pool&) = delete;
    heap_pool& operator=(const heap_pool&) = delete;

    /// Memory of one heap, uninitialised, of heap_bytes(); without access rights when masked, unless it has a key. Null
    /// when the system has no more.
    void* take() noexcept;

    /// Give back what take() returned, of which the first `pages_used` pages were touched. When masked, the
    /// caller says by `open` whether access rights are still granted; they are withdrawn.
    void give(void* heap, std::size_t pages_used, bool open) noexcept;

    /// Whether heaps wait for discard_one().
    bool soiled() const noexcept { return soiled_ > 0; }

    /// Give the pages of one heap that waits back to the system, if there is one.
    void discard_one() noexcept;

    /// The protection key of `heap`, which take() returned; 0 when it has none.
    std::uint8_t key_of(const void* heap) const noexcept;

    std::size_t heap_pages() const noexcept { return heap_pages_; }
    std::size_t heap_bytes() const noexcept { return heap_bytes_; }

    /// Heaps taken and not given back.
    std::size_t taken() const noexcept { return taken_; }

    /// How often a heap came from a fresh mapping because the pool was exhausted.
    std::uint64_t overflows() const noexcept { return overflows_; }

private:
    void* take_pooled() noexcept;
    void* take_mapped() noexcept;
    bool may_wait(std::size_t pages_used, bool to_close) const noexcept;
    void prepare(std::uint32_t index) noexcept;
    bool has_key(std::uint32_t index) const noexcept
    {
        return key_count_ > 0 && index < apart_max_;
    }
    std::uint8_t key_at(std::uint32_t index) const noexcept { return keys_[index % key_count_]; }
    std::uint32_t index_of(const void* heap) const noexcept;

    std::size_t heap_pages_;
    std::size_t heap_bytes_;
    bool masked_;
    std::size_t apart_max_;
    std::array<std::uint8_t, os::pkeys_max> keys_{};
    std::size_t key_count_;
    mapping memory_;
    std::pmr::vector<std::uint32_t> free_; // a stack of indices given back, the hottest last
    std::uint32_t fresh_ = 0;              // heaps from this index on were never taken
    std::uint32_t heaps_;
    std::size_t taken_ = 0;
    std::size_t warm_ = 0; // free heaps whose memory is kept
    std::uint64_t overflows_ = 0;

    // Heaps that are neither free nor taken: the system is yet to get their pages back.
    struct waiting {
        std::uint32_t index;
        std::uint32_t pages;
    };
    std::size_t soiled_ = 0;
    std::size_t soiled_pages_ = 0; // of all of them
    std::array<waiting, limits::heaps_soiled_max> waiting_{};
};

} // namespace vk
