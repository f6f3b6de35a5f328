#include "support/sim/world.hpp"

// The calls of a world that concern io_uring.

#include <algorithm>
#include <bit>

#include "support/sim/ring.hpp"

namespace vk::sim {

std::int64_t world::uring_open(io_uring& shared, unsigned submissions, unsigned completions)
{
    return perform(call::uring_open, -1, [&]() -> std::int64_t {
        if (submissions == 0 || completions < submissions)
            return -EINVAL;
        const unsigned entries = std::min(std::bit_ceil(submissions), options_.submissions_max);
        const auto one = std::make_shared<ring>(
            *this, shared, entries, std::min(std::bit_ceil(completions), options_.completions_max));
        const std::int64_t fd = install(one);
        shared.ring_fd = static_cast<int>(fd);
        return std::min<std::int64_t>(fd, 0);
    });
}

std::shared_ptr<ring> world::find_ring(int fd)
{
    return std::dynamic_pointer_cast<ring>(find_or_complain(fd));
}

std::int64_t world::uring_provide(int fd, io_uring_buf_ring* from, unsigned count)
{
    return perform(call::uring_provide, fd, [&]() -> std::int64_t {
        const auto one = find_ring(fd);
        if (!one)
            return -EBADF;
        one->provide(*from, count);
        return 0;
    });
}

std::int64_t world::uring_submit(int fd)
{
    return perform(call::uring_enter, fd, [&]() -> std::int64_t {
        const auto one = find_ring(fd);
        return one ? std::int64_t{one->submit()} : -EBADF;
    });
}

// A signal ends a wait before anything has completed; what was prepared is submitted all the same.
std::int64_t world::uring_enter(int fd, std::int64_t timeout_ns)
{
    return perform(call::uring_enter, fd, [&]() -> std::int64_t {
        const auto one = find_ring(fd);
        if (!one)
            return -EBADF;
        const std::int64_t taken = one->submit();
        if (dice_.chance(options_.noise.spurious))
            return taken != 0 ? taken : -EINTR;
        if (timeout_ns == 0)
            return one->complete(false), taken;
        const bool some = wait(timeout_ns, [&] { return std::int64_t{one->complete(true)}; }) != 0;
        return some ? taken : -ETIME;
    });
}

/// What an operation does on the file that it has got hold of.
std::int64_t world::operate(call what, int fd, const std::shared_ptr<file>& on, const iovec& part)
{
    return perform_on(what, fd, on, [&]() -> std::int64_t {
        return what == call::uring_poll ? 0
                                        : transfer_on(on, &part, 1, what == call::uring_receive);
    });
}

} // namespace vk::sim
