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

/// What to ask the system for.
constexpr unsigned events_of(ready interest) noexcept
{
    unsigned events = 0;
    if (any(interest & ready::in))
        events |= POLLIN | POLLPRI | POLLRDHUP;
    if (any(interest & ready::out))
        events |= POLLOUT;
    return events;
}

/// A bit that no connection has, and that wakers say of bytes, each time, beside an urgent mark that may not be there.
inline constexpr unsigned waker_bit = POLLRDBAND;

/// What a poll of AIO or io_uring found. Where it was woken it tells with what: of a mark, and of an end that came behind
/// bytes, the next poll tells, since a poll looks first. AIO tells it all, io_uring what it was asked for, so that a poll
/// of its for bytes asks for waker_bit.
constexpr ready ready_by_poll(int result) noexcept
{
    auto events = static_cast<unsigned>(result < 0 ? 0 : result);
    return events & waker_bit ? without(ready_of(events), ready::urgent) : ready_of(events);
}

/// What is left to wait for when `found` was. An fd that failed has nothing more to come.
constexpr ready left_of(ready interest, ready found) noexcept
{
    if (any(found & ready::failed))
        return ready::none;
    return without(interest, any(found & ready::urgent) ? found | ready::in : found);
}

} // namespace vk
