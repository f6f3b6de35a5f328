#include <vk/base/aio.hpp>

// The simulated AIO: the functions of aio.hpp that call the system, answered by the current sim::world.

#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include "support/sim/aio_context.hpp"
#include "support/sim/world.hpp"

namespace vk::os {

using sim::world;

aio::~aio()
{
    if (news_ >= 0)
        (void)world::current().close(news_);
    ::operator delete(reinterpret_cast<void*>(context_));
}

int aio::open(unsigned polls) noexcept
{
    const unsigned places = polls + 1;
    void* const memory = ::operator new(sizeof(shared_ring) + places * sizeof(io_event));
    auto* const made =
        new (memory) shared_ring{0, places, 0, 0, 0xa10a10a1, 1, 0, sizeof(shared_ring)};
    const auto result = static_cast<int>(world::current().aio_open(
        {&made->head, &made->tail, places, const_cast<io_event*>(made->events())}));
    if (result < 0) {
        ::operator delete(memory);
        return result;
    }
    context_ = reinterpret_cast<aio_context_t>(made);
    news_ = result;
    return 0;
}

int aio::submit(iocb** blocks, unsigned count) noexcept
{
    return static_cast<int>(world::current().aio_submit(news_, blocks, count));
}

int aio::cancel(iocb& block) noexcept
{
    return static_cast<int>(world::current().aio_cancel(news_, block));
}

} // namespace vk::os
