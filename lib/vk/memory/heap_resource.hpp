#pragma once

// heap_resource: the current process's heap as a std::pmr::memory_resource.
//
// Small allocations are carved from the current thread's frame stack, large ones are runs of pages. Both
// are in stack order: what is released out of order is reused when all above it is gone. Containers that
// grow once and die with their scope suit it; one that grows and shrinks for the life of a connection
// should put a std::pmr::unsynchronized_pool_resource in front.

#include <memory_resource>

namespace vk {

/// The heap of the process that runs. Allocating outside of a process is the caller's bug; an exhausted
/// heap throws heap_exhausted. Memory must be released before its thread ends.
std::pmr::memory_resource* heap_resource() noexcept;

} // namespace vk
