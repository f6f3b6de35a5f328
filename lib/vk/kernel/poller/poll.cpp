// poll: the fds that block now, handed over at each wait.
//
// Registrations cost nothing beside the wait; the wait costs as much as there are blocked fds. An fd is
// reported once for each block. The list is kept dense: the last entry moves into a gap.

#include "vk/base/os.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/events.hpp"

#include <cstdint>
#include <vector>

#include <poll.h>

namespace vk {
namespace {

constexpr std::uint32_t no_slot = ~std::uint32_t{0};

class poll_poller final : public poller {
public:
    explicit poll_poller(const poller_parts& parts)
        : fds_(&parts.fds),
          run_(&parts.run),
          count_(&parts.count),
          slots_(parts.fds.size(), no_slot, parts.memory),
          watched_(parts.memory)
    {
        watched_.reserve(parts.fds.size());
    }

    std::string_view name() const noexcept override { return "poll"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        dirty.clear_and_dispose([this](fd_record* one) { watch(*one); });
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
    std::uint32_t& slot_of(int fd) noexcept { return slots_[static_cast<std::size_t>(fd)]; }

    void watch(fd_record& one) noexcept
    {
        std::uint32_t& slot = slot_of(one.fd);
        if (slot == no_slot) {
            slot = static_cast<std::uint32_t>(watched_.size());
            watched_.push_back({one.fd, 0, 0});
        }
        watched_[slot].events = static_cast<short>(events_of(one.interest));
        ++count_->registrations;
    }

    void unwatch(fd_record& one) noexcept
    {
        std::uint32_t slot = slot_of(one.fd);
        if (slot == no_slot)
            return;
        watched_[slot] = watched_.back();
        slot_of(watched_[slot].fd) = slot;
        watched_.pop_back();
        slot_of(one.fd) = no_slot;
        one.interest = ready::none;
    }

    // What was found is not asked for again; what else the owner waits for stays in the list.
    void report(fd_record& one, ready bits) noexcept
    {
        ready left = left_of(one.interest, bits);
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
    std::pmr::vector<std::uint32_t> slots_; // where in the list an fd is
    std::pmr::vector<pollfd> watched_;
};

} // namespace

extern const driver poll_driver{"poll", make_in_memory<poll_poller>,
                                sizeof(std::uint32_t) + sizeof(pollfd)};

} // namespace vk
