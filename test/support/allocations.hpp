#pragma once

// allocations: how often the program went to the global heap.
//
// allocations.cpp replaces the global operator new and delete of the test program that links it. What the
// library makes while it runs is counted so; what it promises is that there is nothing to count.

#include <cstddef>

namespace vk::test {

struct allocations {
    std::size_t made = 0;
    std::size_t freed = 0;

    friend bool operator==(const allocations&, const allocations&) = default;

    std::size_t live() const noexcept { return made - freed; }
};

/// Since the program began.
allocations allocations_now() noexcept;

} // namespace vk::test
