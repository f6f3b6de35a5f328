#pragma once

// events: the bits of poll(2) and epoll(7), which are the same, as the library's.

#include "vk/proc/request.hpp"

#include <poll.h>
#include <sys/epoll.h>

namespace vk {

static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
              EPOLLERR == POLLERR && EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP);
static_assert(static_cast<int>(ready::in) == POLLIN && static_cast<int>(ready::urgent) == POLLPRI &&
              static_cast<int>(ready::out) == POLLOUT &&
              static_cast<int>(ready::failed) == POLLERR);

/// What the system found. An fd that is hung up altogether, or is none, has an error for whoever uses it.
constexpr ready ready_of(unsigned events) noexcept
{
    auto found = static_cast<ready>(events & (POLLIN | POLLPRI | POLLOUT | POLLERR));
    if (events & (POLLHUP | POLLNVAL)) [[unlikely]]
        found |= ready::failed;
    if (events & POLLRDHUP) [[unlikely]]
        found |= ready::hang_up;
    return found;
}

} // namespace vk
