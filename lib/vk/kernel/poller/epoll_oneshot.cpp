// epoll-oneshot: level-triggered, an fd is registered anew for each block, with what its owner waits for.
//
// A call more for each block than `epoll` needs; but nothing wakes the kernel for which nobody waits.

#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/oneshot_set.hpp"

namespace vk {
namespace {

class oneshot_poller final : public poller {
public:
    explicit oneshot_poller(const poller_parts& parts) : set_(parts) {}

    std::string_view name() const noexcept override { return "epoll-oneshot"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        dirty.clear_and_dispose([this](fd_record* one) { set_.watch(*one); });
    }

    void wait(nanoseconds timeout) noexcept override { (void)set_.wait(timeout); }
    void forget(fd_record& closing) noexcept override { set_.forget(closing); }

private:
    oneshot_set set_;
};

} // namespace

extern const driver epoll_oneshot_driver{"epoll-oneshot", make_in_memory<oneshot_poller>,
                                         epoll_set::fd_bytes};

} // namespace vk
