#pragma once

// heap_run: pages of a heap for as long as a scope.

#include "vk/memory/heap.hpp"

#include <cstddef>

namespace vk {

class heap_run {
public:
    /// Take `pages` pages of `from`. Throws heap_exhausted.
    heap_run(heap& from, std::size_t pages) : heap_(&from), data_(from.take(pages)) {}
    ~heap_run() { heap_->give(data_); }
    heap_run(const heap_run&) = delete;
    heap_run& operator=(const heap_run&) = delete;

    char* data() const noexcept { return static_cast<char*>(data_); }

private:
    heap* heap_;
    void* data_;
};

} // namespace vk
