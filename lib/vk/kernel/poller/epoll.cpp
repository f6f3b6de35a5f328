// epoll: edge-triggered, each fd registered once, for everything, at its first block.
//
// It is never modified, and closing the fd deregisters it. One registration for input and output means that
// an edge of input reports room to write as well; that word is passed on only to those who asked for it.

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/events.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include <sys/epoll.h>

namespace vk {
namespace {

class epoll_poller final : public poller {
public:
    explicit epoll_poller(const poller_parts& parts)
        : fds_(&parts.fds), run_(&parts.run), count_(&parts.count), epoll_(os::epoll_create())
    {
        if (epoll_ < 0)
            raise(-epoll_, "epoll_create");
    }
    ~epoll_poller() override { (void)os::close(epoll_); }

    std::string_view name() const noexcept override { return "epoll"; }
    bool registers_once() const noexcept override { return true; }

    void submit(dirty_fds& dirty) noexcept override
    {
        while (!dirty.empty()) {
            fd_record& one = dirty.front();
            dirty.pop_front();
            if (!one.registered)
                add(one);
        }
    }

    void wait(nanoseconds timeout) noexcept override
    {
        if (!refused_.empty()) [[unlikely]]
            timeout = retry_refused(timeout);
        ++count_->waits;
        int events = os::epoll_wait(epoll_, events_.data(), limits::poll_events_max, timeout);
        for (int at = 0; at < events; ++at) {
            const epoll_event& event = events_[static_cast<std::size_t>(at)];
            fd_record* one = fds_->find(event.data.fd);
            if (one && one->owner)
                report(*one, ready_of(event.events));
        }
    }

    // close(2) deregisters an fd of the kernel's; one that is lent stays open, so it is deregistered here.
    void forget(fd_record& closing) noexcept override
    {
        if (closing.registered && closing.lent)
            (void)os::epoll_control(epoll_, EPOLL_CTL_DEL, closing.fd, nullptr);
    }

private:
    void add(fd_record& one) noexcept
    {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.fd = one.fd;
        int result = os::epoll_control(epoll_, EPOLL_CTL_ADD, one.fd, &event);
        ++count_->registrations;
        one.registered = result == 0 || result == -EEXIST;
        if (one.registered)
            return;
        if (result == -EPERM) { // a file that cannot be watched never blocks
            one.interest = ready::out;
            report(one, ready::in | ready::out);
            return;
        }
        log::warn("epoll cannot watch fd {} now: {}", one.fd, std::strerror(-result));
        refused_.push_back(one);
    }

    // Where the system lacked memory or watches, ask again from time to time; returns when, at the latest.
    nanoseconds retry_refused(nanoseconds timeout) noexcept
    {
        dirty_fds again;
        again.swap(refused_);
        submit(again);
        constexpr nanoseconds pause = 10'000'000;
        return refused_.empty() || (timeout >= 0 && timeout < pause) ? timeout : pause;
    }

    void report(fd_record& one, ready bits) noexcept
    {
        // Room to write is news only to an owner who waits for it.
        if (bits == ready::out && !any(one.interest & ready::out))
            return;
        if (any(bits & ready::out))
            one.interest = ready::none;
        wake_fresh(*run_, one, bits);
    }

    fd_table* fds_;
    process_list<run_tag>* run_;
    counters* count_;
    int epoll_;
    dirty_fds refused_;
    std::array<epoll_event, limits::poll_events_max> events_;
};

} // namespace

poller* make_epoll_poller(const poller_parts& parts)
{
    void* at = parts.memory->allocate(sizeof(epoll_poller), alignof(epoll_poller));
    return new (at) epoll_poller(parts);
}

} // namespace vk
