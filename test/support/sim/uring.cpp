// A simulated system has no io_uring: opening one says so, as an old kernel or a container does.

#include <vk/base/uring.hpp>

#include <cerrno>
#include <cstdlib>

namespace vk::os {

uring::~uring() = default;

int uring::open(unsigned, unsigned) noexcept
{
    return -ENOSYS;
}

int uring::provide(std::byte*, unsigned, unsigned, unsigned) noexcept
{
    return -ENOSYS;
}

int uring::enter(std::int64_t) noexcept
{
    return -EBADF;
}

io_uring_sqe* uring::place_after_submit() noexcept
{
    std::abort(); // nothing is prepared for what was not opened
}

} // namespace vk::os
