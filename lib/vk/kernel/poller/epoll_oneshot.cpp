// epoll-oneshot: level-triggered, an fd is registered anew for each block, with what its owner waits for.
//
// A call more for each block than `epoll` needs; but nothing wakes the kernel for which nobody waits.

#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/epoll_set.hpp"

namespace vk {
namespace {

class oneshot_poller final : public poller {
public:
    explicit oneshot_poller(const poller_parts& parts) : set_(parts), run_(&parts.run) {}

    std::string_view name() const noexcept override { return "epoll-oneshot"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        dirty.clear_and_dispose([this](fd_record* one) { watch(*one); });
    }

    void wait(nanoseconds timeout) noexcept override
    {
        set_.wait(
            timeout, [this](dirty_fds& again) { submit(again); },
            [this](fd_record& one, ready bits) { report(one, bits); });
    }

    void forget(fd_record& closing) noexcept override { set_.forget(closing); }

private:
    void watch(fd_record& one) noexcept
    {
        if (!set_.watch(one, events_of(one.interest) | EPOLLONESHOT))
            report(one, one.interest);
    }

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

} // namespace

extern const driver epoll_oneshot_driver{"epoll-oneshot", make_in_memory<oneshot_poller>,
                                         epoll_set::fd_bytes};

} // namespace vk
