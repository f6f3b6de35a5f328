#include "vk/memory/lender.hpp"

#include "vk/base/assert.hpp"

namespace vk {

lender::lender(std::size_t blocks)
    : blocks_max_(blocks),
      stack_bytes_(round_up(blocks * sizeof(std::byte*), os::page_bytes())),
      memory_(stack_bytes_ + blocks * limits::block_bytes)
{
}

std::byte* lender::make_block() noexcept
{
    if (made_ == blocks_max_)
        return nullptr;
    return memory_.base() + stack_bytes_ + made_++ * limits::block_bytes;
}

void lender::take_back_large(std::byte* block, std::size_t bytes_used) noexcept
{
    VK_DEBUG_ASSERT(memory_.contains(block) && bytes_used <= limits::block_bytes);
    if (free_ >= limits::blocks_kept_max) [[unlikely]]
        (void)os::discard(block, limits::block_bytes);
    else
        std::memset(block, 0, bytes_used);
    stack()[free_++] = block;
}

} // namespace vk
