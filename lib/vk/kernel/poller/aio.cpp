// aio: polls of Linux AIO (io_submit(2) with IOCB_CMD_POLL), one for each direction that an fd's owner waits for.
//
// All that block in a turn are submitted together; what is found is read from memory that the system shares. Only when
// there is nothing is there a wait, in an epoll instance that an eventfd(2) wakes with each event. A poll is over with its
// event. One whose fd is forgotten is cancelled, and its event, of another time, is told by the age of its place.
//
// The epoll instance watches what is no connection, and fds for which there is no room: the system grants so many polls at
// once (sysctl fs.aio-max-nr). It is not polled by AIO itself: a thread of the system may look then, in whose eyes a
// signalfd(2) has no signals, and takes it from what is ready.

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

// Asked for at first, which is a quarter of what a system grants by default to all; and at least.
constexpr unsigned polls_max = 16 * 1024;
constexpr unsigned polls_min = 128;

constexpr unsigned batch_max = 256;

// Turns with events after which what is no connection has its turn.
constexpr unsigned busy_turns_max = 8;

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
        places_.reserve(parts.fds.size());
    }

    int open() noexcept
    {
        auto wanted = static_cast<unsigned>(std::min<std::size_t>(2 * fds_->size(), polls_max));
        int result;
        do {
            room_ = std::max(wanted, polls_min);
            result = polls_.open(room_);
        } while (result == -EAGAIN && (wanted /= 2) >= polls_min);
        return result < 0 ? result : others_.wake_by(polls_.news());
    }

    std::string_view name() const noexcept override { return "aio"; }
    bool registers_once() const noexcept override { return false; }

    void submit(dirty_fds& dirty) noexcept override
    {
        watch_all(dirty);
        send_batch();
    }

    void wait(nanoseconds timeout) noexcept override
    {
        if (take_events() > 0) {
            if (++busy_turns_ < busy_turns_max)
                return;
            timeout = 0;
        }
        busy_turns_ = 0;
        look_at_others(timeout);
        // An edge of events that were read before has ended the wait: there is one at most.
        if (take_events() == 0 && timeout != 0 && others_.woken() && run_->empty()) {
            look_at_others(timeout);
            take_events();
        }
    }

    void forget(fd_record& closing) noexcept override
    {
        std::uint32_t at = std::exchange(place_of_[static_cast<std::size_t>(closing.fd)], no_place);
        others_.forget(closing, at != no_place);
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

    // What an fd needs is two polls at most.
    void watch(fd_record& one) noexcept
    {
        if (one.kind == fd_kind::other)
            return others_.watch(one);
        if (under_way_ + 2 > room_) [[unlikely]]
            take_events();
        if (under_way_ + 2 > room_) [[unlikely]]
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
        on.block.aio_flags = IOCB_FLAG_RESFD;
        on.block.aio_resfd = static_cast<std::uint32_t>(polls_.news());
        on.block.aio_data = about(at, its.age, &on == &its.out);
        if (batched_ == batch_max)
            send_batch();
        batch_[batched_++] = &on.block;
        ++under_way_;
    }

    // What the system refuses is watched by epoll.
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
        others_.watch(*fds_->find(its.fd));
    }

    // --- what the system says

    void look_at_others(nanoseconds timeout) noexcept
    {
        while (others_.wait(timeout))
            timeout = 0;
    }

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
        fd_record& one = *fds_->find(its.fd);
        ready bits = event.res < 0 ? ready::failed : ready_by_poll(static_cast<int>(event.res));
        if (!any(bits)) [[unlikely]]
            return others_.watch(one);
        one.interest = without(one.interest, &on == &its.out ? ready::out : ready::in);
        wake_fresh(*run_, one, bits);
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
    unsigned room_ = 0;       // polls that there may be
    unsigned under_way_ = 0;  // and that there are
    unsigned busy_turns_ = 0; // since the epoll instance was looked at
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
