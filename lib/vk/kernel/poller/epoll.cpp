// epoll: edge-triggered, each fd registered once, for everything, at its first block.
//
// It is never modified, and closing the fd deregisters it. One registration for input and output means that
// an edge of input reports room to write as well; that word is passed on only to those who asked for it.

#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/epoll_set.hpp"

namespace vk {
namespace {

class epoll_poller final : public poller {
public:
    explicit epoll_poller(const poller_parts& parts) : set_(parts), run_(&parts.run) {}

    std::string_view name() const noexcept override { return "epoll"; }
    bool registers_once() const noexcept override { return true; }

    void submit(dirty_fds& dirty) noexcept override
    {
        dirty.clear_and_dispose([this](fd_record* one) {
            if (!set_.has(*one))
                add(*one);
        });
    }

    void wait(nanoseconds timeout) noexcept override
    {
        set_.wait(
            timeout, [this](dirty_fds& again) { submit(again); },
            [this](fd_record& one, ready bits) { report(one, bits); });
    }

    void forget(fd_record& closing) noexcept override { set_.forget(closing); }

private:
    void add(fd_record& one) noexcept
    {
        if (set_.watch(one, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET))
            return;
        one.interest = ready::out;
        report(one, ready::in | ready::out);
    }

    void report(fd_record& one, ready bits) noexcept { report_edge(*run_, one, bits); }

    epoll_set set_;
    process_list<run_tag>* run_;
};

} // namespace

extern const driver epoll_driver{"epoll", make_in_memory<epoll_poller>, epoll_set::fd_bytes};

} // namespace vk
