#pragma once

// process_id: names a process of this kernel, for good.
//
// A number is never used again, so an id outlives its process without ever meaning another. The place is where
// the kernel looks, so that finding a process needs no search.

#include <cstdint>

namespace vk {

struct process_id {
    std::uint64_t number = 0; // from 1; 0 is no process
    std::uint32_t place = 0;  // in the kernel's table

    friend bool operator==(const process_id&, const process_id&) noexcept = default;
};

} // namespace vk
