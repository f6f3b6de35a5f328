#include "vk/base/kqueue.hpp"

#include "vk/base/gate.hpp"

#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

namespace vk::os {

kqueue::~kqueue()
{
    gate::pass through;
    if (queue_ >= 0)
        (void)::close(queue_);
}

int kqueue::open() noexcept
{
    gate::pass through;
    queue_ = ::kqueue();
    if (queue_ < 0)
        return -errno;
    (void)::fcntl(queue_, F_SETFD, FD_CLOEXEC);
    return 0;
}

int kqueue::exchange(const struct kevent* changes, int count, struct kevent* events, int room,
                     std::int64_t timeout_ns) noexcept
{
    gate::pass through;
    timespec at_most{};
    at_most.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000);
    at_most.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000);
    int found = ::kevent(queue_, changes, count, events, room, timeout_ns < 0 ? nullptr : &at_most);
    return found < 0 ? -errno : found;
}

} // namespace vk::os
