#include "vk/base/memory_exhausted.hpp"

#include <fmt/format.h>

namespace vk {

memory_exhausted::memory_exhausted(std::size_t held, std::size_t asked, std::size_t limit) noexcept
    : held_(held), asked_(asked), limit_(limit)
{
    auto end = fmt::format_to_n(text_, sizeof(text_) - 1,
                                "global memory of {} bytes exhausted: {} held, {} more asked",
                                limit, held, asked);
    *end.out = '\0';
}

} // namespace vk
