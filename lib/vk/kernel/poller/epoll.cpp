// epoll: edge-triggered, each fd registered once, for everything, at its first block.

#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/edge_set.hpp"

namespace vk {
namespace {

class epoll_poller final : public poller {
public:
    explicit epoll_poller(const poller_parts& parts) : set_(parts) {}

    std::string_view name() const noexcept override { return "epoll"; }
    bool registers_once() const noexcept override { return true; }

    void submit(dirty_fds& dirty) noexcept override
    {
        dirty.clear_and_dispose([this](fd_record* one) { set_.watch(*one); });
    }

    void wait(nanoseconds timeout) noexcept override { (void)set_.wait(timeout); }
    void forget(fd_record& closing) noexcept override { set_.forget(closing); }

private:
    edge_set set_;
};

} // namespace

extern const driver epoll_driver{"epoll", make_in_memory<epoll_poller>, epoll_set::fd_bytes};

} // namespace vk
