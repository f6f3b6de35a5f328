// poll: the fds that block now, handed over at each wait.
//
// Registrations cost nothing beside the wait; the wait costs as much as there are blocked fds. An fd is
// reported once for each block. The list is kept dense: the last entry moves into a gap.

#include "vk/base/os.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/events.hpp"

#include <new>
#include <vector>

#include <poll.h>

namespace vk {
namespace {

constexpr std::uint32_t no_slot = ~std::uint32_t{0};

ready without(ready bits, ready found) noexcept
{
    return static_cast<ready>(static_cast<unsigned>(bits) & ~static_cast<unsigned>(found));
}

short events_of(ready interest) noexcept
{
    unsigned events = 0;
    if (any(interest & ready::in))
        events |= POLLIN | POLLPRI | POLLRDHUP;
    if (any(interest & ready::out))
        events |= POLLOUT;
    return static_cast<short>(events);
}

class poll_poller final : public poller {
public:
    explicit poll_poller(const poller_parts& parts)
        : fds_(&parts.fds), run_(&parts.run), count_(&parts.count), watched_(parts.memory)
    {
        watched_.reserve(parts.fds.size());
    }

    std::string_view name() const noexcept override { return "poll"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        while (!dirty.empty()) {
            fd_record& one = dirty.front();
            dirty.pop_front();
            watch(one);
        }
    }

    void wait(nanoseconds timeout) noexcept override
    {
        ++count_->waits;
        int left = os::poll(watched_.data(), watched_.size(), timeout);
        // From the end, so that neither a gap that is filled nor an fd that stays is met twice.
        for (std::size_t slot = watched_.size(); left > 0 && slot-- > 0;) {
            short events = watched_[slot].revents;
            if (events == 0)
                continue;
            --left;
            report(*fds_->find(watched_[slot].fd), ready_of(static_cast<unsigned short>(events)));
        }
    }

    void forget(fd_record& closing) noexcept override { unwatch(closing); }

private:
    void watch(fd_record& one) noexcept
    {
        if (one.slot == no_slot) {
            one.slot = static_cast<std::uint32_t>(watched_.size());
            watched_.push_back({one.fd, 0, 0});
        }
        watched_[one.slot].events = events_of(one.interest);
        ++count_->registrations;
    }

    void unwatch(fd_record& one) noexcept
    {
        if (one.slot == no_slot)
            return;
        watched_[one.slot] = watched_.back();
        fds_->find(watched_[one.slot].fd)->slot = one.slot;
        watched_.pop_back();
        one.slot = no_slot;
        one.interest = ready::none;
    }

    // What was found is not asked for again; what else the owner waits for stays in the list.
    void report(fd_record& one, ready bits) noexcept
    {
        ready left = any(bits & ready::failed) ? ready::none : without(one.interest, bits);
        unwatch(one);
        if (any(left)) {
            one.interest = left;
            watch(one);
        }
        wake_fresh(*run_, one, bits);
    }

    fd_table* fds_;
    process_list<run_tag>* run_;
    counters* count_;
    std::pmr::vector<pollfd> watched_;
};

} // namespace

poller* make_poll_poller(const poller_parts& parts)
{
    void* at = parts.memory->allocate(sizeof(poll_poller), alignof(poll_poller));
    return new (at) poll_poller(parts);
}

} // namespace vk
