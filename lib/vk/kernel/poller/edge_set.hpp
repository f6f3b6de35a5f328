#pragma once

// edge_set: an epoll instance in which an fd is watched once, edge-triggered, for everything.
//
// It is never modified, and closing the fd deregisters it. One registration for input and output means that
// an edge of input reports room to write as well; that word is passed on only to those who asked for it.

#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/epoll_set.hpp"

namespace vk {

class edge_set {
public:
    explicit edge_set(const poller_parts& parts) : set_(parts), run_(&parts.run) {}

    /// Of the epoll instance.
    int fd() const noexcept { return set_.fd(); }

    /// Whether there are fds that the system refused to watch, which are tried again at each wait.
    bool refused() const noexcept { return set_.refused(); }

    /// Watch `one`, unless it is watched. A file that never blocks is reported at once.
    void watch(fd_record& one) noexcept
    {
        if (set_.has(one) || set_.watch(one, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET))
            return;
        one.interest = ready::out;
        report_edge(*run_, one, ready::in | ready::out);
    }

    void forget(fd_record& closing) noexcept { set_.forget(closing); }

    /// Wait, and report what is ready. Returns whether there may be more.
    bool wait(nanoseconds timeout) noexcept
    {
        return set_.wait(
            timeout,
            [this](dirty_fds& again) {
                again.clear_and_dispose([this](fd_record* one) { watch(*one); });
            },
            [this](fd_record& one, ready bits) { report_edge(*run_, one, bits); });
    }

private:
    epoll_set set_;
    process_list<run_tag>* run_;
};

} // namespace vk
