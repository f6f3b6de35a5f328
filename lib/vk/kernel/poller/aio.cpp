// aio: polls of Linux AIO (io_submit(2) with IOCB_CMD_POLL), one for each direction that an fd's owner waits for.
//
// All that block in a turn are submitted by one call; what is found is read from memory that the system shares, and only
// when there is nothing the system is asked to wait. A poll is over with its event. One whose fd is forgotten is
// cancelled, and its event, of another time, is told by the age of its place.
//
// The system grants so many polls at once (sysctl fs.aio-max-nr). Fds beyond are watched by an epoll instance, which is
// polled in its turn, as is what is no connection: the system looks at an fd from a thread of its own, in whose eyes a
// signalfd(2) has no signals.

#include "vk/base/aio.hpp"

#include "vk/base/limits.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/events.hpp"
#include "vk/kernel/poller/oneshot_set.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include <poll.h>

namespace vk {
namespace {

constexpr std::uint32_t no_place = ~std::uint32_t{0};
constexpr std::uint32_t others_at = 0; // the place of the epoll instance

// Asked for at first, which is a quarter of what a system grants by default to all; and at least.
constexpr unsigned polls_max = 16 * 1024;
constexpr unsigned polls_min = 128;

constexpr unsigned batch_max = 256;

class aio_poller final : public poller {
public:
    explicit aio_poller(const poller_parts& parts)
        : fds_(&parts.fds),
          run_(&parts.run),
          count_(&parts.count),
          place_of_(parts.fds.size(), no_place, parts.memory),
          places_(parts.memory),
          others_(parts)
    {
        places_.reserve(parts.fds.size() + 1);
        places_.push_back({});
        places_[others_at].fd = others_.fd();
    }

    int open() noexcept
    {
        auto wanted = static_cast<unsigned>(std::min<std::size_t>(2 * fds_->size(), polls_max));
        int result;
        do {
            room_ = std::max(wanted, polls_min);
            result = polls_.open(room_);
        } while (result == -EAGAIN && (wanted /= 2) >= polls_min);
        return result;
    }

    std::string_view name() const noexcept override { return "aio"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        watch_all(dirty);
        place& others = places_[others_at];
        if (!std::exchange(others.in.under_way, true))
            add(others, others.in, POLLIN);
        send_batch();
    }

    void wait(nanoseconds timeout) noexcept override
    {
        bool unwatched = others_.refused() || !places_[others_at].in.under_way;
        if (others_ready_)
            timeout = 0;
        else if (unwatched && (timeout < 0 || timeout > epoll_set::pause)) [[unlikely]]
            timeout = epoll_set::pause;
        if (take_events() == 0 && timeout != 0) {
            ++count_->waits;
            io_event one;
            if (polls_.wait(one, timeout) > 0) {
                take(one);
                take_events();
            }
        }
        if (std::exchange(others_ready_, false) || unwatched)
            look_at_others();
    }

    void forget(fd_record& closing) noexcept override
    {
        others_.forget(closing);
        std::uint32_t at = std::exchange(place_of_[static_cast<std::size_t>(closing.fd)], no_place);
        if (at == no_place)
            return;
        place& its = places_[at];
        for (direction* one : {&its.in, &its.out})
            if (std::exchange(one->under_way, false))
                (void)polls_.cancel(one->block);
        ++its.age;
        its.next_free = std::exchange(free_, at);
    }

    struct direction {
        iocb block{};
        bool under_way = false;
    };
    struct place {
        direction in;
        direction out;
        int fd = -1;
        std::uint32_t age = 0; // how often it was given up
        std::uint32_t next_free = no_place;
    };

private:
    // --- what is asked of the system

    void watch_all(dirty_fds& dirty) noexcept
    {
        dirty.clear_and_dispose([this](fd_record* one) { watch(*one); });
    }

    // Of the polls granted, one is for the epoll instance, and what an fd needs is two.
    void watch(fd_record& one) noexcept
    {
        if (one.kind == fd_kind::other)
            return others_.watch(one);
        if (under_way_ + 3 > room_) [[unlikely]]
            take_events();
        if (under_way_ + 3 > room_) [[unlikely]]
            return others_.watch(one);
        place& its = place_for(one.fd);
        for (ready wanted : {ready::in, ready::out}) {
            direction& on = wanted == ready::in ? its.in : its.out;
            if (!any(one.interest & wanted) || std::exchange(on.under_way, true))
                continue;
            ++count_->registrations;
            add(its, on, events_of(wanted));
        }
    }

    place& place_for(int fd) noexcept
    {
        std::uint32_t& at = place_of_[static_cast<std::size_t>(fd)];
        if (at == no_place) {
            at = free_;
            if (at == no_place) {
                at = static_cast<std::uint32_t>(places_.size());
                places_.push_back({});
            } else {
                free_ = places_[at].next_free;
            }
            places_[at].fd = fd;
        }
        return places_[at];
    }

    void add(place& its, direction& on, unsigned events) noexcept
    {
        auto at = static_cast<std::uint32_t>(&its - places_.data());
        on.block = {};
        on.block.aio_lio_opcode = IOCB_CMD_POLL;
        on.block.aio_fildes = static_cast<std::uint32_t>(its.fd);
        on.block.aio_buf = events;
        on.block.aio_data = about(at, its.age, &on == &its.out);
        if (batched_ == batch_max)
            send_batch();
        batch_[batched_++] = &on.block;
        ++under_way_;
    }

    // What the system refuses is watched by epoll; epoll, if it is refused, is looked at after a pause.
    void send_batch() noexcept
    {
        unsigned sent = 0;
        while (sent < batched_) {
            int result = polls_.submit(&batch_[sent], batched_ - sent);
            if (result > 0)
                sent += static_cast<unsigned>(result);
            else if (result != -EINTR)
                refused(*batch_[sent++]);
        }
        batched_ = 0;
    }

    void refused(const iocb& block) noexcept
    {
        --under_way_;
        place& its = places_[place_in(block.aio_data)];
        direction_in(its, block.aio_data).under_way = false;
        if (&its != &places_[others_at])
            others_.watch(*fds_->find(its.fd));
    }

    // --- what the system says

    unsigned take_events() noexcept
    {
        return polls_.events([this](const io_event& event) { take(event); });
    }

    void take(const io_event& event) noexcept
    {
        --under_way_;
        place& its = places_[place_in(event.data)];
        if (its.age != age_in(event.data))
            return; // of an fd that is gone
        direction& on = direction_in(its, event.data);
        on.under_way = false;
        if (&its == &places_[others_at]) {
            others_ready_ = true;
            return;
        }
        fd_record& one = *fds_->find(its.fd);
        one.interest = without(one.interest, &on == &its.out ? ready::out : ready::in);
        wake_fresh(*run_, one, event.res < 0 ? ready::failed : found_by(on, event));
    }

    // Where a poll was woken the event tells with what, and that is said with other bits that nobody asked for: among
    // them, each time, that of an urgent mark. Of that, and of an end that came behind bytes, the next poll tells, since
    // a poll looks first.
    static ready found_by(const direction& on, const io_event& event) noexcept
    {
        auto events = static_cast<unsigned>(event.res);
        bool woken = events & ~(static_cast<unsigned>(on.block.aio_buf) | POLLERR | POLLHUP);
        return woken ? without(ready_of(events), ready::urgent) : ready_of(events);
    }

    void look_at_others() noexcept
    {
        while (others_.wait(0)) {}
        dirty_fds none;
        submit(none); // to be told of the next
    }

    // --- what an event brings back of its poll

    static std::uint64_t about(std::uint32_t at, std::uint32_t age, bool out) noexcept
    {
        return std::uint64_t{age} << 32 | std::uint64_t{at} << 1 | std::uint64_t{out};
    }
    static std::uint32_t place_in(std::uint64_t about) noexcept
    {
        return static_cast<std::uint32_t>(about) >> 1;
    }
    static std::uint32_t age_in(std::uint64_t about) noexcept
    {
        return static_cast<std::uint32_t>(about >> 32);
    }
    static direction& direction_in(place& its, std::uint64_t about) noexcept
    {
        return about & 1 ? its.out : its.in;
    }

    fd_table* fds_;
    process_list<run_tag>* run_;
    counters* count_;
    std::pmr::vector<std::uint32_t> place_of_; // by fd
    std::pmr::vector<place> places_;           // where the system knows them: they stay
    std::uint32_t free_ = no_place;
    oneshot_set others_;
    bool others_ready_ = false; // some of them are
    unsigned room_ = 0;         // polls that there may be
    unsigned under_way_ = 0;    // and that there are
    unsigned batched_ = 0;
    std::array<iocb*, batch_max> batch_;
    os::aio polls_; // ends first, while what it knows is there
};

poller* make_aio(const poller_parts& parts)
{
    return make_or_epoll<aio_poller>("Linux AIO", parts);
}

} // namespace

extern const driver aio_driver{
    "aio", make_aio, sizeof(std::uint32_t) + sizeof(aio_poller::place) + 2 * epoll_set::fd_bytes};

} // namespace vk
