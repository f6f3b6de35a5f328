// uring: io_uring. What connections receive and send is done by the system itself, within the wait.
//
// A connection is told of at its first block. From then on it receives (multishot) into buffers that all share, and
// reads are copies from there; what it sends is gathered, and goes out with the next wait. So a turn of the kernel is
// one system call, however many connections it serves. Room to write is polled. Where memory is masked, so is all else:
// what was received is memory of its process.
//
// What is no connection (listeners, signals, pipes) is watched by an epoll instance, which is polled in its turn. An
// operation of io_uring holds its file open, and beyond the end of its OS process for a while: a server that was killed
// would keep its port so long.
//
// A connection that is not read holds few buffers, and then no more is received of it until it is read. Where there are
// none left, connections are polled and read by recv(2), as with other drivers.
//
//   uring       as above
//   uring-poll  all are polled (multishot, edge-triggered), and read and written by their processes

#include "vk/base/uring.hpp"

#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/poller/arrivals.hpp"
#include "vk/kernel/poller/departures.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/epoll_set.hpp"
#include "vk/kernel/poller/events.hpp"
#include "vk/proc/completions.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <poll.h>

namespace vk {
namespace {

constexpr unsigned submissions = 4096;
constexpr unsigned completions_max = 16'384;

// What one connection may hold of what was received, and what is left to the others before it is polled, in buffers.
constexpr unsigned held_max = 64;
constexpr unsigned left_min = arrivals::buffers / 8;

// Operations that one enter completes, about; there may be more (IO_LOCAL_TW_DEFAULT_MAX, since Linux 6.13).
constexpr unsigned enter_max = 20;

constexpr unsigned everything = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;

// What an operation is for. Its completion brings that back, with the fd and which of those that bore its number.
enum class purpose : std::uint8_t {
    watch,    // poll, again and again
    wait_in,  // poll once
    wait_out, // poll while there is no room
    receive,
    send,
    others, // poll the epoll instance
    none,
};

struct about {
    purpose what;
    int fd;
    std::uint32_t generation;

    static constexpr int purpose_bits = 4;
    static constexpr std::uint32_t generations = 1u << (32 - purpose_bits);

    std::uint64_t pack() const noexcept
    {
        return std::uint64_t{static_cast<std::uint32_t>(fd)} << 32 | generation << purpose_bits |
               static_cast<std::uint32_t>(what);
    }
    static about unpack(std::uint64_t from) noexcept
    {
        auto low = static_cast<std::uint32_t>(from);
        return {static_cast<purpose>(low & ((1u << purpose_bits) - 1)),
                static_cast<int>(from >> 32), low >> purpose_bits};
    }
};

class uring_poller final : public poller, private completions {
public:
    uring_poller(const poller_parts& parts, bool completing)
        : fds_(&parts.fds),
          run_(&parts.run),
          count_(&parts.count),
          members_(parts.fds.size(), member{}, parts.memory),
          others_(parts),
          completing_(completing)
    {
    }

    int open() noexcept
    {
        int result = ring_.open(submissions, completions_max);
        if (result < 0 || !completing_)
            return result;
        arrived_.make_resident();
        return ring_.provide(arrived_.memory(), arrivals::buffers, arrivals::buffer_bytes,
                             arrivals::stride);
    }

    // An operation holds its file open, be its fd closed: a port is free again when all have ended.
    ~uring_poller()
    {
        for (int attempts = 0; under_way_ > 0 && attempts < 1'000; ++attempts)
            wait(0);
    }

    static constexpr std::size_t fd_bytes() noexcept { return sizeof(member); }

    std::string_view name() const noexcept override { return completing_ ? "uring" : "uring-poll"; }
    bool registers_once() const noexcept override { return true; }

    void submit(dirty_fds& dirty) noexcept override
    {
        watch_all(dirty);
        dirty_fds again;
        again.swap(again_);
        again.clear_and_dispose([this](fd_record* one) {
            listen(*one);
            wait_out(*one);
        });
        if (!std::exchange(others_polled_, true))
            ring_.poll(others_.fd(), POLLIN, true, about{purpose::others, 0, 0}.pack());
        for (std::uint16_t slot : departed_.going_out())
            leave(slot);
    }

    void wait(nanoseconds timeout) noexcept override
    {
        if (others_.refused()) [[unlikely]] {
            look_at_others();
            timeout = timeout < 0 ? epoll_set::pause : std::min(timeout, epoll_set::pause);
        }
        unsigned taken = 0;
        unsigned last = 0;
        do {
            ++count_->waits;
            (void)ring_.enter(std::exchange(timeout, 0));
            last = ring_.completions([this](std::uint64_t of, int result, unsigned flags) {
                complete(about::unpack(of), result, flags);
            });
            taken += last;
        } while (ring_.overflown() ||
                 (last >= enter_max && taken < unsigned{limits::poll_events_max}));
        for (std::uint16_t slot : departed_.going_out())
            if (departed_.state_of(slot) == departures::state::leaving)
                give_back_slot(slot);
        departed_.gone();
    }

    void forget(fd_record& closing) noexcept override
    {
        others_.forget(closing);
        member& its = of(closing.fd);
        (void)push(closing.fd);
        if (its.out != departures::none)
            give_back_slot(its.out);
        arrived_.drop(its.in, give_back_);
        cancel(closing, its.watched, purpose::watch);
        cancel(closing, its.waiting_in, purpose::wait_in);
        cancel(closing, its.waiting_out, purpose::wait_out);
        cancel(closing, its.receiving, purpose::receive);
        std::uint32_t next = (its.generation + 1) % about::generations;
        its = {};
        its.generation = next;
    }

private:
    struct member { // by fd
        std::uint32_t generation = 0;
        int end = 0; // what ended the input: 0, or -errno
        int out_error = 0;
        arrivals::queue in;
        std::uint16_t out = departures::none;
        bool connected = false;
        bool watched = false; // operations that are under way
        bool waiting_in = false;
        bool waiting_out = false;
        bool receiving = false;
        bool stopping = false;     // its receiving was cancelled
        bool leaving_room = false; // its waiting_out was
        bool ended = false;        // nothing more will be received
    };

    member& of(int fd) noexcept { return members_[static_cast<std::size_t>(fd)]; }
    const member& of(int fd) const noexcept { return members_[static_cast<std::size_t>(fd)]; }

    std::uint64_t tag(const fd_record& one, purpose what) noexcept
    {
        return about{what, one.fd, of(one.fd).generation}.pack();
    }

    // --- what is asked of the system

    void watch_all(dirty_fds& dirty) noexcept
    {
        dirty.clear_and_dispose([this](fd_record* one) { watch(*one); });
    }

    void watch(fd_record& one) noexcept
    {
        member& its = of(one.fd);
        if (one.kind == fd_kind::other)
            return watch_other(one);
        // Of unix sockets Linux 6.18 does not complete an end that came with the last bytes.
        if (!completing_ || !one.where || one.kind != fd_kind::tcp)
            return poll(one, its.watched, purpose::watch, everything);
        one.where->by = this;
        // One that waits for room alone may not be connected yet.
        if (any(one.interest & ready::in) || its.connected)
            listen(one);
        else
            wait_in(one);
        wait_out(one);
    }

    void watch_other(fd_record& one) noexcept
    {
        if (others_.has(one) || others_.watch(one, everything | EPOLLET))
            return;
        one.interest = ready::out;
        report(one, ready::in | ready::out); // it never blocks
    }

    // See that the owner of a connection is told of what comes.
    void listen(fd_record& one) noexcept
    {
        member& its = of(one.fd);
        if (its.receiving || its.ended || !its.in.empty())
            return;
        if (arrived_.left() < left_min)
            return wait_in(one);
        its.receiving = its.connected = true;
        ++under_way_;
        ring_.receive(one.fd, tag(one, purpose::receive));
        ++count_->registrations;
    }

    void wait_in(fd_record& one) noexcept
    {
        poll(one, of(one.fd).waiting_in, purpose::wait_in, POLLIN | POLLPRI | POLLRDHUP);
    }

    void wait_out(fd_record& one) noexcept
    {
        if (any(one.interest & ready::out) || is_owed(one))
            poll(one, of(one.fd).waiting_out, purpose::wait_out, POLLOUT);
    }

    void poll(const fd_record& one, bool& under_way, purpose what, unsigned events) noexcept
    {
        if (std::exchange(under_way, true))
            return;
        ++under_way_;
        ring_.poll(one.fd, events, what != purpose::wait_in, tag(one, what));
        ++count_->registrations;
    }

    void cancel(const fd_record& one, bool under_way, purpose what) noexcept
    {
        if (under_way)
            ring_.cancel(tag(one, what), about{purpose::none, one.fd, 0}.pack());
    }

    void listen_again(fd_record& one) noexcept
    {
        if (!one.fd_hook<dirty_fd_tag>::is_linked())
            again_.push_back(one);
    }

    // --- what the system says

    void complete(about of_what, int result, unsigned flags) noexcept
    {
        if (of_what.what == purpose::none)
            return;
        if (of_what.what == purpose::others) {
            others_polled_ = os::uring::more(flags);
            return look_at_others();
        }
        if (of_what.what != purpose::send && !os::uring::more(flags))
            --under_way_;
        member& its = of(of_what.fd);
        if (of_what.generation != its.generation) {
            if (os::uring::has_buffer(flags))
                ring_.give_back(os::uring::buffer_of(flags));
            return;
        }
        fd_record& one = *fds_->find(of_what.fd);
        switch (of_what.what) {
        case purpose::watch:
            its.watched = os::uring::more(flags);
            return watched(one, result);
        case purpose::wait_in:
            its.waiting_in = false;
            its.connected = true;
            return report(one, ready::in);
        case purpose::wait_out:
            its.waiting_out = os::uring::more(flags);
            return room(one, result);
        case purpose::receive:
            its.receiving = os::uring::more(flags);
            return received(one, result, flags);
        case purpose::send:
            return sent(one, result);
        case purpose::others:
        case purpose::none:
            return;
        }
    }

    // Polling that ends by itself, where the system lacks memory, begins again.
    void watched(fd_record& one, int result) noexcept
    {
        report(one, result < 0 ? ready::in : ready_of(static_cast<unsigned>(result)));
        if (result >= 0 || may_go_on(-result))
            poll(one, of(one.fd).watched, purpose::watch, everything);
    }

    void look_at_others() noexcept
    {
        while (others_.wait(
            0, [this](dirty_fds& again) { watch_all(again); },
            [this](fd_record& one, ready bits) { report(one, bits); })) {}
    }

    void received(fd_record& one, int result, unsigned flags) noexcept
    {
        member& its = of(one.fd);
        if (result > 0) {
            arrived_.add(its.in, os::uring::buffer_of(flags), static_cast<std::size_t>(result));
            report(one, ready::in);
            if (its.receiving && its.in.held >= held_max && !std::exchange(its.stopping, true))
                cancel(one, true, purpose::receive);
        } else if (os::uring::has_buffer(flags)) {
            ring_.give_back(os::uring::buffer_of(flags));
        }
        if (its.receiving)
            return;
        its.stopping = false;
        if (its.ended)
            return;
        if (result == 0 || (result < 0 && !may_go_on(-result)))
            end(one, result);
        else if (its.in.empty())
            listen_again(one);
    }

    static bool may_go_on(int error) noexcept
    {
        return error == ENOBUFS || error == ECANCELED || error == EINTR || error == EAGAIN ||
               error == ENOMEM;
    }

    void end(fd_record& one, int result) noexcept
    {
        member& its = of(one.fd);
        its.ended = true;
        its.end = result;
        report(one, ready::in | (result ? ready::failed : ready::hang_up));
    }

    void report(fd_record& one, ready bits) noexcept { report_edge(*run_, one, bits); }

    // --- completions: input

    ssize_t receive(int fd, void* to, std::size_t bytes) noexcept override
    {
        member& its = of(fd);
        ssize_t got =
            static_cast<ssize_t>(arrived_.take(its.in, static_cast<char*>(to), bytes, give_back_));
        if (got == 0) {
            if (its.ended)
                return its.end;
            if (its.receiving)
                return -EAGAIN;
            ++count_->reads;
            got = os::receive(fd, to, bytes);
            if (got == 0 || (got < 0 && !may_go_on(static_cast<int>(-got)))) {
                its.ended = true;
                its.end = static_cast<int>(got);
            }
        }
        if (its.in.empty() && !its.receiving && !its.ended)
            listen_again(*fds_->find(fd));
        return got;
    }

    bool has_received(int fd) const noexcept override { return !of(fd).in.empty() || of(fd).ended; }

    // --- completions: output

    ssize_t send(int fd, const void* from, std::size_t bytes) noexcept override
    {
        member& its = of(fd);
        if (its.out_error)
            return its.out_error;
        if (its.out == departures::none) {
            if (bytes <= departures::slot_bytes)
                its.out = departed_.take(fd);
        } else if (departed_.state_of(its.out) != departures::state::gathering) {
            return -EAGAIN;
        }
        if (its.out != departures::none && departed_.add(its.out, from, bytes))
            return static_cast<ssize_t>(bytes);
        int pushed = push(fd);
        if (pushed < 0)
            return pushed;
        ++count_->writes;
        return os::send(fd, from, bytes);
    }

    int push(int fd) noexcept override
    {
        member& its = of(fd);
        if (its.out == departures::none)
            return its.out_error;
        std::string_view left = departed_.left(its.out);
        ++count_->writes;
        ssize_t taken = os::send(fd, left.data(), left.size());
        return taken_of(*fds_->find(fd), taken);
    }

    // What the system took of the slot of `one`. Returns as push() does.
    int taken_of(fd_record& one, ssize_t taken) noexcept
    {
        member& its = of(one.fd);
        if (taken < 0 && taken != -EAGAIN && taken != -EINTR) {
            its.out_error = static_cast<int>(taken);
            give_back_slot(its.out);
            return its.out_error;
        }
        departed_.consume(its.out, taken < 0 ? 0 : static_cast<std::size_t>(taken));
        if (departed_.left(its.out).empty()) {
            give_back_slot(its.out);
            return 0;
        }
        departed_.set_state(its.out, departures::state::waiting);
        wait_out(one);
        return -EAGAIN;
    }

    void give_back_slot(std::uint16_t slot) noexcept
    {
        of(departed_.fd_of(slot)).out = departures::none;
        departed_.give_back(slot);
    }

    void leave(std::uint16_t slot) noexcept
    {
        if (departed_.state_of(slot) != departures::state::gathering)
            return;
        departed_.set_state(slot, departures::state::leaving);
        int fd = departed_.fd_of(slot);
        std::string_view all = departed_.left(slot);
        ring_.send(fd, all.data(), all.size(), tag(*fds_->find(fd), purpose::send));
    }

    // Not all was.
    void sent(fd_record& one, int result) noexcept
    {
        (void)taken_of(one, result);
        if (of(one.fd).out_error)
            output_failed(one);
    }

    // Nobody waits for it: the thread that reads, and whose answer was lost, must not wait for ever for a peer that waits
    // for the answer.
    void output_failed(fd_record& one) noexcept
    {
        member& its = of(one.fd);
        cancel(one, its.receiving && !std::exchange(its.stopping, true), purpose::receive);
        if (!its.ended)
            end(one, its.out_error);
        report(one, ready::out);
    }

    // No end is reported here, since bytes may be on their way through the ring that come before it.
    //
    // A peer that ended its side shows in every poll(2), be it for room alone: so one that reports each time, since it
    // says that once, where one that reports once would say it again and again. It ends when it reports to nobody.
    void room(fd_record& one, int result) noexcept
    {
        member& its = of(one.fd);
        bool wanted = any(one.interest & ready::out) || is_owed(one);
        bool found = result > 0 && (result & (POLLOUT | POLLERR | POLLHUP));
        if (found && !wanted && its.waiting_out && !std::exchange(its.leaving_room, true))
            cancel(one, true, purpose::wait_out);
        if (found && wanted && (!is_owed(one) || push(one.fd) != -EAGAIN))
            report(one, ready::out);
        if (its.out_error)
            output_failed(one);
        if (!its.waiting_out) {
            its.leaving_room = false;
            wait_out(one);
        }
    }

    // Whether the system has not taken all that was sent of `one`.
    bool is_owed(const fd_record& one) const noexcept
    {
        std::uint16_t slot = of(one.fd).out;
        return slot != departures::none && departed_.state_of(slot) == departures::state::waiting;
    }

    fd_table* fds_;
    process_list<run_tag>* run_;
    counters* count_;
    std::pmr::vector<member> members_; // by fd
    epoll_set others_;                 // all but connections
    bool others_polled_ = false;
    dirty_fds again_; // to be listened to again
    bool completing_;
    std::size_t under_way_ = 0; // operations that the system holds, but for sends
    arrivals arrived_;
    departures departed_;
    os::uring ring_;

    struct {
        os::uring* ring;
        void operator()(unsigned buffer) const noexcept { ring->give_back(buffer); }
    } give_back_{&ring_};
};

template <bool Completing>
poller* make_uring(const poller_parts& parts)
{
    static_assert(sizeof(uring_poller) <= limits::poller_bytes / 2);
    void* at = parts.memory->allocate(sizeof(uring_poller), alignof(uring_poller));
    auto* made = new (at) uring_poller(parts, Completing && !parts.masked);
    if (Completing && parts.masked)
        log::info("memory is masked: the poller is uring-poll");
    int result = made->open();
    if (result == 0)
        return made;
    made->~uring_poller();
    return epoll_instead("io_uring", -result, parts);
}

// Its epoll instance, and that of the driver epoll if it is used.
constexpr std::size_t fd_bytes = uring_poller::fd_bytes() + 2 * epoll_set::fd_bytes;

} // namespace

extern const driver uring_driver{"uring", make_uring<true>, fd_bytes};
extern const driver uring_poll_driver{"uring-poll", make_uring<false>, fd_bytes};

} // namespace vk
