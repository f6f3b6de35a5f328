#include "vk/memory/lender.hpp"

#include "vk/base/assert.hpp"

#include <cstring>

namespace vk {

lender::lender(std::size_t blocks)
    : blocks_max_(static_cast<std::uint32_t>(blocks)),
      list_bytes_(round_up(blocks * sizeof(std::uint32_t), os::page_bytes())),
      memory_(list_bytes_ + blocks * limits::block_bytes)
{
}

bool lender::add_block() noexcept
{
    if (made_ == blocks_max_)
        return false;
    next()[made_] = free_;
    free_ = made_++;
    ++free_count_;
    return true;
}

void lender::take_back(lease& from, std::size_t bytes_used) noexcept
{
    VK_DEBUG_ASSERT(from.block && bytes_used <= limits::block_bytes);
    if (free_count_ >= limits::blocks_kept_max) [[unlikely]]
        (void)os::discard(from.block, limits::block_bytes);
    else
        std::memset(from.block, 0, bytes_used);
    auto index = static_cast<std::uint32_t>(static_cast<std::size_t>(from.block - blocks()) /
                                            limits::block_bytes);
    next()[index] = free_;
    free_ = index;
    ++free_count_;
    from.block = nullptr;
    from.unlink();
}

} // namespace vk
