// A simulated system has no AIO: a context says so, as an old kernel or a container does.

#include <vk/base/aio.hpp>

#include <cerrno>

namespace vk::os {

aio::~aio() = default;

int aio::open(unsigned) noexcept
{
    return -ENOSYS;
}

int aio::submit(iocb**, unsigned) noexcept
{
    return -EINVAL;
}

int aio::cancel(iocb&) noexcept
{
    return -EINVAL;
}

} // namespace vk::os
