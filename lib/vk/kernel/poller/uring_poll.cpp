// uring-poll: io_uring, by which fds are polled, and read and written by their processes.
//
// A poll for each direction that an fd's owner waits for. They go to the system with the wait, so that a turn of the kernel
// has one call beside those of its processes, however many fds it has blocked on. A poll is over with its completion: one
// that goes on (multishot) says each time that there may be an urgent mark, as any wake-up does, and costs a read in vain
// for each one that is not. A poll that is begun looks first, and what it says then is so.
//
// What is no connection is watched by an epoll instance, for the reason that uring.cpp gives.

#include "vk/base/uring.hpp"

#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/events.hpp"
#include "vk/kernel/poller/oneshot_set.hpp"
#include "vk/kernel/poller/uring_turn.hpp"

#include <utility>
#include <vector>

#include <poll.h>

namespace vk {
namespace {

enum purpose : unsigned { wait_in, wait_out, others, none };

class uring_poll_poller final : public poller {
public:
    explicit uring_poll_poller(const poller_parts& parts)
        : fds_(&parts.fds),
          run_(&parts.run),
          count_(&parts.count),
          members_(parts.fds.size(), member{}, parts.memory),
          others_(parts)
    {
    }

    int open() noexcept { return ring_.open(submissions_max, completions_max); }

    // An operation holds its file open, be its fd closed: a port is free again when all have ended.
    ~uring_poll_poller() override
    {
        for (int attempts = 0; under_way_ > 0 && attempts < 1'000; ++attempts)
            wait(0);
    }

    static constexpr std::size_t fd_bytes() noexcept
    {
        return sizeof(member) + 2 * epoll_set::fd_bytes;
    }

    std::string_view name() const noexcept override { return "uring-poll"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        watch_all(dirty);
        if (!std::exchange(others_polled_, true))
            ring_.poll(others_.fd(), POLLIN, true, about{others, 0, 0}.pack());
    }

    void wait(nanoseconds timeout) noexcept override
    {
        if (others_.refused()) [[unlikely]] {
            look_at_others();
            timeout = until_tried_again(timeout);
        }
        take_turn(ring_, *count_, timeout,
                  [this](about of, int result, unsigned flags) { complete(of, result, flags); });
    }

    void forget(fd_record& closing) noexcept override
    {
        others_.forget(closing);
        member& its = of(closing.fd);
        for (unsigned what : {wait_in, wait_out})
            if (std::exchange(its.under_way[what], false))
                ring_.cancel(tag(closing, what), about{none, closing.fd, 0}.pack());
        its.generation = (its.generation + 1) % about::generations;
    }

private:
    struct member { // by fd
        std::uint32_t generation = 0;
        bool under_way[2] = {}; // by purpose
    };

    member& of(int fd) noexcept { return members_[static_cast<std::size_t>(fd)]; }

    std::uint64_t tag(const fd_record& one, unsigned what) noexcept
    {
        return about{what, one.fd, of(one.fd).generation}.pack();
    }

    void watch_all(dirty_fds& dirty) noexcept
    {
        dirty.clear_and_dispose([this](fd_record* one) { watch(*one); });
    }

    void watch(fd_record& one) noexcept
    {
        if (one.kind == fd_kind::other)
            return others_.watch(one);
        if (any(one.interest & ready::in))
            poll(one, wait_in, events_of(ready::in) | waker_bit);
        if (any(one.interest & ready::out))
            poll(one, wait_out, events_of(ready::out));
    }

    void poll(const fd_record& one, unsigned what, unsigned events) noexcept
    {
        if (std::exchange(of(one.fd).under_way[what], true))
            return;
        ++under_way_;
        ++count_->registrations;
        ring_.poll(one.fd, events, false, tag(one, what));
    }

    void complete(about of_what, int result, unsigned flags) noexcept
    {
        if (of_what.what == none)
            return;
        if (of_what.what == others) {
            others_polled_ = os::uring::more(flags);
            return look_at_others();
        }
        --under_way_;
        member& its = of(of_what.fd);
        if (of_what.generation != its.generation)
            return;
        its.under_way[of_what.what] = false;
        fd_record& one = *fds_->find(of_what.fd);
        bool out = of_what.what == wait_out;
        // A peer that ended its side shows in every poll, be it for room alone; in an epoll instance it does not.
        ready bits = without(ready_by_poll(result), out ? ready::hang_up : ready::none);
        if (!any(bits))
            return others_.watch(one);
        one.interest = without(one.interest, out ? ready::out : ready::in);
        wake_fresh(*run_, one, bits);
    }

    void look_at_others() noexcept
    {
        while (others_.wait(0)) {}
    }

    fd_table* fds_;
    process_list<run_tag>* run_;
    counters* count_;
    std::pmr::vector<member> members_; // by fd
    oneshot_set others_;
    bool others_polled_ = false;
    std::size_t under_way_ = 0; // polls that the system holds
    os::uring ring_;
};

poller* make_uring_poll(const poller_parts& parts)
{
    return make_or_epoll<uring_poll_poller>("io_uring", parts);
}

} // namespace

extern const driver uring_poll_driver{"uring-poll", make_uring_poll, uring_poll_poller::fd_bytes()};

} // namespace vk
