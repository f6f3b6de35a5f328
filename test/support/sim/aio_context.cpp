#include "support/sim/aio_context.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>

#include "support/sim/world.hpp"

namespace vk::sim {

namespace {

constexpr std::uint32_t always = EPOLLERR | EPOLLHUP;

// What sock_def_readable() and sock_def_write_space() say.
std::uint32_t word_of(std::uint32_t bits) noexcept
{
    if ((bits & EPOLLIN) != 0)
        bits |= EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND;
    if ((bits & EPOLLOUT) != 0)
        bits |= EPOLLWRNORM | EPOLLWRBAND;
    return bits;
}

} // namespace

// --- a poll -----------------------------------------------------------------------------------------

aio_context::poll::poll(aio_context& its_owner, const iocb& asked, std::shared_ptr<file> on)
    : owner{its_owner},
      block{&asked},
      data{asked.aio_data},
      wanted{static_cast<std::uint32_t>(asked.aio_buf) | always},
      to{std::move(on)}
{
    to->hold();
    to->watch(*this);
}

aio_context::poll::~poll()
{
    to->unwatch(*this);
    to->let_go();
}

void aio_context::poll::woken(std::uint32_t bits)
{
    const std::uint32_t word = word_of(bits);
    if (done || (bits != 0 && (word & wanted) == 0))
        return;
    if (bits == 0 || cancelled || owner.world_.dice().chance(owner.world_.how().noise.deferred))
        return look_later();
    complete(word);
}

void aio_context::poll::look_later()
{
    owner.world_.later(owner.world_.latency() / 4, [self = weak_from_this()] {
        if (const auto that = self.lock())
            that->look();
    });
}

void aio_context::poll::look()
{
    if (done)
        return;
    const std::uint32_t found = to->readiness() & wanted;
    if (cancelled || found != 0)
        complete(cancelled ? 0 : found);
}

void aio_context::poll::complete(std::uint32_t found)
{
    done = true;
    to->report(found & wanted);
    owner.events_.at[*owner.events_.tail] = {data, reinterpret_cast<std::uintptr_t>(block), found,
                                             0};
    *owner.events_.tail = (*owner.events_.tail + 1) % owner.events_.size;
    owner.told_ = true;
    // It may be the file that calls its watchers, of which this is one.
    owner.world_.later(0, [self = weak_from_this()] {
        if (const auto that = self.lock())
            std::erase(that->owner.polls_, that);
    });
    owner.wake(EPOLLIN);
}

// --- the context ------------------------------------------------------------------------------------

std::uint32_t aio_context::readiness()
{
    return told_ ? std::uint32_t{EPOLLIN} : 0;
}

unsigned aio_context::unread() const noexcept
{
    return (*events_.tail + events_.size - *events_.head) % events_.size;
}

void aio_context::close()
{
    for (const auto& one : polls_)
        one->done = true;
    polls_.clear();
}

int aio_context::begin(const iocb& asked, std::shared_ptr<file> on)
{
    if (asked.aio_lio_opcode != IOCB_CMD_POLL || asked.aio_flags != IOCB_FLAG_RESFD ||
        asked.aio_offset != 0 || asked.aio_nbytes != 0 || asked.aio_buf > 0xffff)
        return -EINVAL;
    const auto under_way =
        std::ranges::count_if(polls_, [](const auto& one) { return !one->done; });
    if (unread() + static_cast<unsigned>(under_way) + 1 >= events_.size)
        return -EAGAIN;
    poll& one = *polls_.emplace_back(std::make_shared<poll>(*this, asked, std::move(on)));
    one.look();
    return 0;
}

bool aio_context::cancel(const iocb& block)
{
    for (const auto& one : polls_)
        if (one->block == &block && !one->done && !std::exchange(one->cancelled, true)) {
            one->look_later();
            return true;
        }
    return false;
}

} // namespace vk::sim
