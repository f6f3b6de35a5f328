#include "vk/io/buffer.hpp"

namespace vk {

bool buffer::acquire_slowly(process& owner) noexcept
{
    if (owner.shared().blocks.lend(lease_, owner.leases())) {
        attach(reinterpret_cast<char*>(lease_.block), limits::block_bytes);
        return true;
    }
    run_ = owner.heap().try_take(limits::block_bytes / limits::page_bytes);
    if (!run_)
        return false;
    attach(static_cast<char*>(run_), limits::block_bytes);
    return true;
}

bool buffer::grow(process& owner) noexcept
{
    if (!attached())
        return acquire_slowly(owner);
    std::size_t bytes = 2 * capacity();
    void* larger = owner.heap().try_take(bytes / limits::page_bytes);
    if (!larger)
        return false;
    attach(static_cast<char*>(larger), bytes);
    if (run_)
        owner.heap().give(run_);
    else
        owner.shared().blocks.take_back(lease_, limits::block_bytes);
    run_ = larger;
    return true;
}

bool buffer::take_all(buffer& full) noexcept
{
    if (!attached() || used() != 0 || run_ || full.run_)
        return false;
    swap(full);
    std::swap(lease_.block, full.lease_.block);
    return true;
}

void buffer::give_back_slowly(process& owner) noexcept
{
    std::size_t touched = detach();
    if (run_)
        owner.heap().give(std::exchange(run_, nullptr));
    else
        owner.shared().blocks.take_back(lease_, touched);
}

} // namespace vk
