#include "vk/base/aio.hpp"

#include "vk/base/gate.hpp"
#include "vk/base/limits.hpp"

#include <cerrno>
#include <utility>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vk::os {
namespace {

int result(long returned) noexcept
{
    return returned < 0 ? -errno : static_cast<int>(returned);
}

} // namespace

aio::~aio()
{
    gate::pass through;
    if (context_)
        (void)::syscall(SYS_io_destroy, context_);
    if (news_ >= 0)
        (void)::close(news_);
}

int aio::open(unsigned polls) noexcept
{
    gate::pass through;
    int made = result(::syscall(SYS_io_setup, polls, &context_));
    if (made < 0)
        return made;
    if (!ring()->is_known()) {
        (void)::syscall(SYS_io_destroy, std::exchange(context_, 0));
        return -ENOTSUP;
    }
    make_resident();
    news_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return news_ < 0 ? -errno : 0;
}

// Its memory is the system's already. That it is the program's too should show at the start, not as the ring goes round.
void aio::make_resident() const noexcept
{
    const auto* at = reinterpret_cast<const volatile char*>(ring());
    const auto* end = reinterpret_cast<const char*>(ring()->events() + ring()->size);
    for (; at < end; at += limits::page_bytes)
        (void)*at;
}

int aio::submit(iocb** blocks, unsigned count) noexcept
{
    gate::pass through;
    return result(::syscall(SYS_io_submit, context_, long{count}, blocks));
}

int aio::cancel(iocb& block) noexcept
{
    gate::pass through;
    io_event none;
    return result(::syscall(SYS_io_cancel, context_, &block, &none));
}

} // namespace vk::os
