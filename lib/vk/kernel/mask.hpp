#pragma once

// mask: keeps memory out of reach of the process that runs.
//
// Closed is what the process that runs must not reach: on level `process` the heaps of all others and the
// blocks that they keep, on level `full` the kernel's heap too. The heap that ran last stays open until
// another runs, so consecutive dispatches of one process need no call.
//
// Like the dispatcher that has it, it lies outside of the kernel's heap, and works while that is closed.

#include "vk/base/os.hpp"
#include "vk/kernel/options.hpp"

#include <cstddef>
#include <cstdint>

namespace vk {

class mask {
public:
    struct layout {
        enum isolation isolation;
        std::size_t heap_bytes;
        std::byte* kernel_heap;
        std::size_t kernel_heap_bytes;
    };

    /// Each call to the system is added to `calls`.
    mask(const layout& memory, std::uint64_t& calls) noexcept : memory_(memory), calls_(&calls) {}
    mask(const mask&) = delete;
    mask& operator=(const mask&) = delete;

    /// Close and open the kernel's heap, on level `full`.
    void close_kernel() noexcept;
    void open_kernel() noexcept;

    /// Whether it takes an open() to reach `heap`.
    bool is_closed(const std::byte* heap) const noexcept
    {
        return memory_.isolation != isolation::none && heap != open_heap_;
    }

    /// Close the heap that ran last and open `heap`, if it is closed.
    void open(std::byte* heap) noexcept;

    /// Whether `heap` is open, since it ran last; it is then forgotten, for whoever masks it.
    bool forget(const std::byte* heap) noexcept;

    /// Open and close a block that a process keeps.
    void open_block(std::byte* block) noexcept;
    void close_block(std::byte* block) noexcept;

private:
    void protect(std::byte* at, std::size_t bytes, os::access rights) noexcept;

    layout memory_;
    std::uint64_t* calls_;
    std::byte* open_heap_ = nullptr; // the heap that ran last
};

} // namespace vk
