#include "vk/io/buffer.hpp"

namespace vk {

bool buffer::acquire_pages(process& owner) noexcept
{
    run_ = owner.heap().try_take(limits::block_bytes / limits::page_bytes);
    if (!run_)
        return false;
    attach(static_cast<char*>(run_), limits::block_bytes);
    return true;
}

bool buffer::grow(process& owner) noexcept
{
    std::size_t bytes = 2 * capacity();
    void* larger = owner.heap().try_take(bytes / limits::page_bytes);
    if (!larger)
        return false;
    attach(static_cast<char*>(larger), bytes);
    if (run_) {
        owner.heap().give(run_);
    } else {
        owner.shared().blocks.take_back(std::exchange(block_, nullptr), limits::block_bytes);
    }
    run_ = larger;
    return true;
}

bool buffer::take_all(buffer& full) noexcept
{
    if (used() != 0 || !block_ || !full.block_)
        return false;
    swap(full);
    return true;
}

} // namespace vk
