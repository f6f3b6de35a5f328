#include "support/sim/world.hpp"

// The calls of a world that concern Linux AIO.

#include "support/sim/aio_context.hpp"

namespace vk::sim {

std::int64_t world::aio_open(const aio_events& shared)
{
    return perform(call::aio_open, -1, [&]() -> std::int64_t {
        return install(std::make_shared<aio_context>(*this, shared));
    });
}

// Those before one that fails are begun, and counted; a system may stop earlier.
std::int64_t world::aio_submit(int fd, iocb** blocks, unsigned count)
{
    return perform(call::aio_submit, fd, [&]() -> std::int64_t {
        const auto context = std::dynamic_pointer_cast<aio_context>(find_or_complain(fd));
        if (!context)
            return -EINVAL;
        std::int64_t begun = 0;
        for (unsigned at = 0; at < count; ++at) {
            const auto on = find_or_complain(static_cast<int>(blocks[at]->aio_fildes));
            const int result = on ? context->begin(*blocks[at], on) : -EBADF;
            if (result < 0)
                return begun > 0 ? begun : result;
            ++begun;
            if (dice_.chance(options_.noise.short_io))
                break;
        }
        return begun;
    });
}

std::int64_t world::aio_cancel(int fd, const iocb& block)
{
    return perform(call::aio_cancel, fd, [&]() -> std::int64_t {
        const auto context = std::dynamic_pointer_cast<aio_context>(find_or_complain(fd));
        return context && context->cancel(block) ? -EINPROGRESS : -EINVAL;
    });
}

} // namespace vk::sim
