#pragma once

// epoll_set: an epoll instance, for the drivers that have one.

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/events.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <sys/epoll.h>

namespace vk {

class epoll_set {
public:
    explicit epoll_set(const poller_parts& parts)
        : fds_(&parts.fds),
          count_(&parts.count),
          members_(parts.fds.size(), member{}, parts.memory),
          epoll_(os::epoll_create())
    {
        if (epoll_ < 0)
            raise(-epoll_, "epoll_create");
    }
    ~epoll_set() { (void)os::close(epoll_); }
    epoll_set(const epoll_set&) = delete;
    epoll_set& operator=(const epoll_set&) = delete;

    bool has(const fd_record& one) const noexcept { return members_[index(one)].in; }

    /// Of the epoll instance, which is readable while an fd is ready that wait() has not reported.
    int fd() const noexcept { return epoll_; }

    /// Whether there are fds that the system refused to watch.
    bool refused() const noexcept { return !refused_.empty(); }

    /// Watch `one` for `events`. False for a file that never blocks, so that it cannot be watched. Where the system
    /// lacks memory or watches, it is tried again at each wait.
    bool watch(fd_record& one, unsigned events) noexcept
    {
        epoll_event event{};
        event.events = events;
        event.data.fd = one.fd;
        bool& in = members_[index(one)].in;
        int result = os::epoll_control(epoll_, in ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, one.fd, &event);
        ++count_->registrations;
        if (result == -EPERM)
            return false;
        if (result == 0 || result == -EEXIST) {
            in = true;
            return true;
        }
        log::warn("epoll cannot watch fd {} now: {}", one.fd, std::strerror(-result));
        if (!one.fd_hook<dirty_fd_tag>::is_linked()) // once for both directions
            refused_.push_back(one);
        return true;
    }

    /// Have waits end with each edge of `fd`, which is the driver's own: nothing is reported of it. Returns 0 or -errno.
    int wake_by(int fd) noexcept
    {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET;
        event.data.fd = fd;
        return os::epoll_control(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    /// Whether that has ended the last wait.
    bool woken() const noexcept { return woken_; }

    /// close(2) takes a connection out of the set. What others may have open is taken out here: what is lent, or
    /// `held` by an operation under way, and what is no connection, such as a listening socket that is inherited.
    void forget(fd_record& closing, bool held = false) noexcept
    {
        bool shared = closing.lent || held || closing.kind == fd_kind::other;
        if (std::exchange(members_[index(closing)].in, false) && shared)
            (void)os::epoll_control(epoll_, EPOLL_CTL_DEL, closing.fd, nullptr);
    }

    /// Wait, and call `report` with each fd that is ready, and how. `watch_again` takes those that were refused. Returns
    /// whether there may be more.
    template <class WatchAgain, class Report>
    bool wait(nanoseconds timeout, WatchAgain watch_again, Report report) noexcept
    {
        if (!refused_.empty()) [[unlikely]] {
            dirty_fds again;
            again.swap(refused_);
            watch_again(again);
            if (!refused_.empty())
                timeout = until_tried_again(timeout);
        }
        ++count_->waits;
        woken_ = false;
        int events = os::epoll_wait(epoll_, events_.data(), limits::poll_events_max, timeout);
        for (int at = 0; at < events; ++at) {
            const epoll_event& event = events_[static_cast<std::size_t>(at)];
            fd_record* one = fds_->find(event.data.fd);
            if (one && one->owner)
                report(*one, ready_of(event.events));
            else
                woken_ = true;
        }
        return events == limits::poll_events_max;
    }

    static constexpr std::size_t fd_bytes = 1;

private:
    struct member {
        bool in = false;
    };
    static std::size_t index(const fd_record& one) noexcept
    {
        return static_cast<std::size_t>(one.fd);
    }

    fd_table* fds_;
    counters* count_;
    std::pmr::vector<member> members_; // by fd
    int epoll_;
    bool woken_ = false;
    dirty_fds refused_;
    std::array<epoll_event, limits::poll_events_max> events_;
};

} // namespace vk
