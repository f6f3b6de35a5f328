#include "vk/kernel/mask.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/limits.hpp"

namespace vk {

void mask::close_kernel() noexcept
{
    if (memory_.isolation == isolation::full)
        protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::none);
}

void mask::open_kernel() noexcept
{
    if (memory_.isolation == isolation::full)
        protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::read_write);
}

void mask::open(std::byte* heap) noexcept
{
    if (!is_closed(heap))
        return;
    if (open_heap_)
        protect(open_heap_, memory_.heap_bytes, os::access::none);
    protect(heap, memory_.heap_bytes, os::access::read_write);
    open_heap_ = heap;
}

bool mask::forget(const std::byte* heap) noexcept
{
    if (open_heap_ != heap)
        return false;
    open_heap_ = nullptr;
    return true;
}

void mask::open_block(std::byte* block) noexcept
{
    protect(block, limits::block_bytes, os::access::read_write);
}

void mask::close_block(std::byte* block) noexcept
{
    protect(block, limits::block_bytes, os::access::none);
}

// A mask that fails would leave memory open that was promised to be closed, and a process that cannot be opened
// may be the listener: when a second attempt fails too there is no going on. The number of mappings, the one
// cause in practice, is kept below the system's limit from the start (kernel.cpp).
void mask::protect(std::byte* at, std::size_t bytes, os::access rights) noexcept
{
    ++*calls_;
    if (os::protect(at, bytes, rights) < 0) [[unlikely]]
        VK_ASSERT(os::protect(at, bytes, rights) == 0);
}

} // namespace vk
