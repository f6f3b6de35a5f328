#include "vk/memory/lender.hpp"

#include "vk/base/assert.hpp"

namespace vk {

lender::lender(std::size_t blocks)
    : blocks_max_(blocks),
      records_bytes_(round_up(blocks * (sizeof(std::byte*) + sizeof(link)), os::page_bytes())),
      memory_(records_bytes_ + blocks * limits::block_bytes)
{
}

std::byte* lender::lend_new() noexcept
{
    if (made_ == blocks_max_)
        return nullptr;
    enlist(static_cast<std::uint32_t>(made_));
    return block_at(made_++);
}

void lender::take_back_all(holder& who) noexcept
{
    lend_to(who);
    while (who != 0)
        take_back(block_at(who - 1), limits::block_bytes);
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
