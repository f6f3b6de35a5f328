#pragma once

// drivers: the pollers that were compiled in. A new one is a file that defines its `driver`, and its
// name in this list.

#include "vk/kernel/poller/poller.hpp"

#ifdef VK_WITH_URING
#define VK_URING_DRIVERS(take) take(uring) take(uring_poll)
#else
#define VK_URING_DRIVERS(take)
#endif

#ifdef VK_WITH_KQUEUE
#define VK_KQUEUE_DRIVERS(take) take(kqueue)
#else
#define VK_KQUEUE_DRIVERS(take)
#endif

#define VK_POLLER_DRIVERS(take)                                                                    \
    take(epoll) take(epoll_oneshot) take(poll) take(aio) VK_URING_DRIVERS(take)                    \
        VK_KQUEUE_DRIVERS(take)

namespace vk {

struct driver {
    std::string_view name;

    /// Made in memory of `parts`. Throws vk::error.
    poller* (*make)(const poller_parts& parts);

    /// Bytes of that memory for each fd that there may be, beside limits::poller_bytes for all the rest.
    std::size_t fd_bytes;
};

template <class Poller>
poller* make_in_memory(const poller_parts& parts)
{
    static_assert(sizeof(Poller) <= limits::poller_bytes / 2);
    return new (parts.memory->allocate(sizeof(Poller), alignof(Poller))) Poller(parts);
}

/// The driver epoll, where `error` keeps the system from `what`: a warning says so. A driver that may need it has the
/// memory for both.
poller* epoll_instead(const char* what, int error, const poller_parts& parts);

template <class Poller>
poller* make_or_epoll(const char* needs, const poller_parts& parts)
{
    static_assert(sizeof(Poller) <= limits::poller_bytes / 2);
    auto* made = new (parts.memory->allocate(sizeof(Poller), alignof(Poller))) Poller(parts);
    int result = made->open();
    if (result == 0)
        return made;
    made->~Poller();
    return epoll_instead(needs, -result, parts);
}

/// How long to wait where the system has refused fds, which are tried again then: `timeout` at most.
constexpr nanoseconds until_tried_again(nanoseconds timeout) noexcept
{
    constexpr nanoseconds pause = 10'000'000;
    return timeout < 0 || timeout > pause ? pause : timeout;
}

/// What a driver that registers once has found: room to write is news only to an owner who waits for it.
inline void report_edge(process_list<run_tag>& run, fd_record& one, ready bits) noexcept
{
    if (bits == ready::out && !any(one.interest & ready::out))
        return;
    if (any(bits & ready::out))
        one.interest = ready::none;
    wake_fresh(run, one, bits);
}

#define VK_DECLARE_DRIVER(name) extern const driver name##_driver;
VK_POLLER_DRIVERS(VK_DECLARE_DRIVER)
#undef VK_DECLARE_DRIVER

} // namespace vk
