#pragma once

// order: what the kernel tells a process at its next dispatch, as bits.

#include <cstdint>

namespace vk {

enum class order : std::uint8_t {
    none = 0,
    drain = 1,   // process::drain
    cancel = 2,  // process::cancel
    vacancy = 4, // process::vacancy
    news = 8,    // there is news for it in the batch
};

constexpr order& operator|=(order& a, order b) noexcept
{
    return a = static_cast<order>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

constexpr bool has(order all, order one) noexcept
{
    return (static_cast<unsigned>(all) & static_cast<unsigned>(one)) != 0;
}

} // namespace vk
