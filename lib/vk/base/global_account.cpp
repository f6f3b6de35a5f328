#include "vk/base/global_account.hpp"

#include "vk/base/log.hpp"

namespace vk {

void global_account::refuse(std::size_t asked) noexcept
{
    ++*refusals_;
    if (!std::exchange(told_, true))
        log::warn("global memory of {} bytes exhausted: {} held, {} more asked", limit_, held_,
                  asked);
}

} // namespace vk
