#include <vk/base/pkey.hpp>

// The simulated CPU has no protection keys.

#include <cerrno>

namespace vk::os {

int allocate_pkey() noexcept
{
    return -ENOSPC;
}

int free_pkey(int) noexcept
{
    return -EINVAL;
}

int protect(void*, std::size_t, access, int) noexcept
{
    return -EINVAL;
}

std::uint32_t pkey_rights() noexcept
{
    return 0;
}

void set_pkey_rights(std::uint32_t) noexcept {}

} // namespace vk::os
