#include <vk/base/uring.hpp>

// The simulated io_uring: the functions of uring.hpp that call the system, answered by the current sim::world.

#include <cerrno>
#include <new>

#include "support/sim/world.hpp"

namespace vk::os {

using sim::world;

uring::~uring()
{
    if (open_)
        (void)world::current().close(ring_.ring_fd);
    ::operator delete[](provided_);
}

int uring::open(unsigned submissions, unsigned completions) noexcept
{
    const auto result =
        static_cast<int>(world::current().uring_open(ring_, submissions, completions));
    open_ = result == 0;
    return result;
}

int uring::provide(std::byte* memory, unsigned count, unsigned bytes, unsigned stride) noexcept
{
    provided_ = static_cast<io_uring_buf_ring*>(::operator new[](count * sizeof(io_uring_buf)));
    memory_ = memory;
    count_ = count;
    bytes_ = bytes;
    stride_ = stride;
    ::io_uring_buf_ring_init(provided_);
    const std::int64_t result = world::current().uring_provide(ring_.ring_fd, provided_, count);
    if (result < 0)
        return static_cast<int>(result);
    for (unsigned buffer = 0; buffer < count; ++buffer)
        give_back(buffer);
    return 0;
}

int uring::enter(std::int64_t timeout) noexcept
{
    if (!open_)
        return -EBADF;
    int result = enter_once(timeout);
    while (!submitted())
        result = enter_once(0);
    return result;
}

int uring::enter_once(std::int64_t timeout) noexcept
{
    return static_cast<int>(world::current().uring_enter(ring_.ring_fd, timeout));
}

io_uring_sqe* uring::place_after_submit() noexcept
{
    io_uring_sqe* free = nullptr;
    while (!free) {
        (void)world::current().uring_submit(ring_.ring_fd);
        free = ::io_uring_get_sqe(&ring_);
    }
    return free;
}

} // namespace vk::os
