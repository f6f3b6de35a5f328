#pragma once

// oneshot_set: an epoll instance in which an fd is watched, level-triggered, for one report of what its owner waits for.

#include "vk/kernel/poller/epoll_set.hpp"
#include "vk/kernel/poller/events.hpp"
#include "vk/kernel/poller/poller.hpp"

namespace vk {

class oneshot_set {
public:
    explicit oneshot_set(const poller_parts& parts) : set_(parts), run_(&parts.run) {}

    /// Of the epoll instance.
    int fd() const noexcept { return set_.fd(); }

    /// Whether there are fds that the system refused to watch, which are tried again at each wait.
    bool refused() const noexcept { return set_.refused(); }

    /// Watch `one` for what its owner waits for. A file that never blocks is reported at once.
    void watch(fd_record& one) noexcept
    {
        if (!set_.watch(one, events_of(one.interest) | EPOLLONESHOT))
            report(one, one.interest);
    }

    /// As epoll_set has them.
    int wake_by(int fd) noexcept { return set_.wake_by(fd); }
    bool woken() const noexcept { return set_.woken(); }
    void forget(fd_record& closing, bool held = false) noexcept { set_.forget(closing, held); }

    /// Wait, and report what is ready. Returns whether there may be more.
    bool wait(nanoseconds timeout) noexcept
    {
        return set_.wait(
            timeout,
            [this](dirty_fds& again) {
                again.clear_and_dispose([this](fd_record* one) { watch(*one); });
            },
            [this](fd_record& one, ready bits) { report(one, bits); });
    }

private:
    // What was found is not asked for again; what else the owner waits for is, at once.
    void report(fd_record& one, ready bits) noexcept
    {
        one.interest = left_of(one.interest, bits);
        if (any(one.interest))
            watch(one);
        wake_fresh(*run_, one, bits);
    }

    epoll_set set_;
    process_list<run_tag>* run_;
};

} // namespace vk
