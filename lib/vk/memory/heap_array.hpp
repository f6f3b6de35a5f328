#pragma once

// heap_array: an array in pages of the current process's heap, for as long as it is in scope.
//
// For what is too large for a coroutine's frame, and whose size is known when it runs: whole pages that are given back
// with the array, where a container would copy itself as it grows.

#include "vk/base/assert.hpp"
#include "vk/base/limits.hpp"
#include "vk/memory/frame_stack.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace vk {

template <class T>
class heap_array {
    static_assert(alignof(T) <= limits::page_bytes);

public:
    /// `count` elements, each of them zero or made by its default constructor. As make_array().
    explicit heap_array(std::size_t count) : in_(&current()), count_(count)
    {
        VK_REQUIRE(count <= limits::heap_pages_max * limits::page_bytes / sizeof(T));
        first_ = static_cast<T*>(in_->take(pages_for(count * sizeof(T) + (count == 0))));
        try {
            std::uninitialized_value_construct_n(first_, count);
        } catch (...) {
            in_->give(first_);
            throw;
        }
    }
    heap_array(heap_array&& other) noexcept
        : in_(other.in_),
          first_(std::exchange(other.first_, nullptr)),
          count_(std::exchange(other.count_, 0))
    {
    }
    heap_array& operator=(heap_array&& other) noexcept
    {
        std::swap(in_, other.in_);
        std::swap(first_, other.first_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~heap_array()
    {
        if (!first_)
            return;
        std::destroy_n(first_, count_);
        in_->give(first_);
    }

    T* data() const noexcept { return first_; }
    std::size_t size() const noexcept { return count_; }
    T* begin() const noexcept { return first_; }
    T* end() const noexcept { return first_ + count_; }
    T& operator[](std::size_t index) const noexcept
    {
        VK_DEBUG_ASSERT(index < count_);
        return first_[index];
    }
    operator std::span<T>() const noexcept { return {first_, count_}; } // NOLINT

private:
    static heap& current() noexcept
    {
        VK_REQUIRE(frame_stack::current != nullptr);
        return frame_stack::current->pages();
    }

    heap* in_;
    T* first_;
    std::size_t count_;
};

/// An array of `count` elements in whole pages of the heap of the process that runs, where it begins at the start of a
/// page. Throws heap_exhausted, which says how many pages the heap would have needed.
template <class T>
heap_array<T> make_array(std::size_t count)
{
    return heap_array<T>(count);
}

} // namespace vk
