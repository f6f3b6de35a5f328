// uring: io_uring. What connections receive and send is done by the system itself, within the wait.
//
// A connection is told of at its first block. From then on it receives (multishot) into buffers that all share, and
// reads are copies from there; what it sends is gathered, and goes out with the next wait. So a turn of the kernel is
// one system call, however many connections it serves. Room to write is polled. Where memory is masked the driver is
// uring-poll: what was received is memory of its process.
//
// What is no TCP connection (listeners, signals, pipes) is watched by an epoll instance, which is polled in its turn. An
// operation of io_uring holds its file open, and beyond the end of its OS process for a while: a server that was killed
// would keep its port so long. And of unix sockets Linux 6.18 does not complete an end that came with the last bytes.
//
// A connection that is not read holds few buffers, and then no more is received of it until it is read. Where there are
// none left, connections are polled and read by recv(2), as with other drivers.

#include "vk/base/uring.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/poller/arrivals.hpp"
#include "vk/kernel/poller/departures.hpp"
#include "vk/kernel/poller/drivers.hpp"
#include "vk/kernel/poller/edge_set.hpp"
#include "vk/kernel/poller/uring_turn.hpp"
#include "vk/proc/completions.hpp"

#include <cerrno>
#include <utility>
#include <vector>

#include <poll.h>

namespace vk {
namespace {

// What one connection may hold of what was received, and what is left to the others before it is polled, in buffers.
constexpr unsigned held_max = 64;
constexpr unsigned left_min = arrivals::buffers / 8;

enum purpose : unsigned {
    wait_in,    // poll once
    wait_out,   // poll while there is no room
    wait_reset, // poll once, beside a receive
    receiving,
    sending,
    others, // poll the epoll instance
    none,
};

class uring_poller final : public poller, private completions {
public:
    explicit uring_poller(const poller_parts& parts)
        : fds_(&parts.fds),
          run_(&parts.run),
          count_(&parts.count),
          members_(parts.fds.size(), member{}, parts.memory),
          others_(parts)
    {
    }

    int open() noexcept
    {
        int result = ring_.open(submissions_max, completions_max);
        if (result < 0)
            return result;
        return ring_.provide(arrived_.memory(), arrivals::buffers, arrivals::buffer_bytes,
                             arrivals::stride);
    }

    // An operation holds its file open, be its fd closed: a port is free again when all have ended.
    ~uring_poller()
    {
        for (int attempts = 0; under_way_ > 0 && attempts < 1'000; ++attempts)
            wait(0);
    }

    static constexpr std::size_t fd_bytes() noexcept
    {
        return sizeof(member) + 2 * epoll_set::fd_bytes;
    }

    std::string_view name() const noexcept override { return "uring"; }
    bool registers_once() const noexcept override { return true; }

    void submit(dirty_fds& dirty) noexcept override
    {
        watch_all(dirty);
        dirty_fds again;
        again.swap(again_);
        again.clear_and_dispose([this](fd_record* one) {
            listen(*one);
            poll_out(*one);
        });
        if (!std::exchange(others_polled_, true))
            ring_.poll(others_.fd(), POLLIN, true, about{others, 0, 0}.pack());
        for (std::uint16_t slot : departed_.going_out())
            leave(slot);
    }

    void wait(nanoseconds timeout) noexcept override
    {
        if (others_.refused()) [[unlikely]] {
            look_at_others();
            timeout = until_tried_again(timeout);
        }
        take_turn(ring_, *count_, timeout,
                  [this](about of, int result, unsigned flags) { complete(of, result, flags); });
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
        for (unsigned what : {wait_in, wait_out, wait_reset, receiving})
            cancel(closing, what);
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
        bool output_lost = false; // what has come is all that will be received
        bool ended = false;       // nothing more will be received
        struct operation {
            bool under_way = false;
            bool cancelled = false;
        } operations[4]; // by purpose

        bool is_under_way(purpose what) const noexcept { return operations[what].under_way; }
    };

    member& of(int fd) noexcept { return members_[static_cast<std::size_t>(fd)]; }
    const member& of(int fd) const noexcept { return members_[static_cast<std::size_t>(fd)]; }

    std::uint64_t tag(const fd_record& one, unsigned what) noexcept
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
        if (one.kind != fd_kind::tcp)
            return others_.watch(one);
        one.where->by = this;
        // One that waits for room alone may not be connected yet.
        if (any(one.interest & ready::in) || of(one.fd).connected)
            listen(one);
        else
            poll_in(one);
        poll_out(one);
    }

    // See that the owner of a connection is told of what comes.
    void listen(fd_record& one) noexcept
    {
        member& its = of(one.fd);
        if (its.is_under_way(receiving) || its.ended || !its.in.empty())
            return;
        if (its.output_lost) [[unlikely]]
            return report(one, ready::in | ready::failed);
        if (arrived_.left() < left_min)
            return poll_in(one);
        its.connected = true;
        if (begin(one, receiving))
            ring_.receive(one.fd, tag(one, receiving));
        poll_reset(one);
    }

    // A receive of Linux 6.18 does not complete with a reset that came while its last bytes were on their way, and nothing
    // would ever be said of the connection again. A poll beside it says so.
    void poll_reset(fd_record& one) noexcept
    {
        if (begin(one, wait_reset))
            ring_.poll(one.fd, 0, false, tag(one, wait_reset));
    }

    void poll_in(fd_record& one) noexcept
    {
        if (begin(one, wait_in))
            ring_.poll(one.fd, POLLIN | POLLPRI | POLLRDHUP, false, tag(one, wait_in));
    }

    void poll_out(fd_record& one) noexcept
    {
        if ((any(one.interest & ready::out) || is_owed(one)) && begin(one, wait_out))
            ring_.poll(one.fd, POLLOUT, true, tag(one, wait_out));
    }

    // False when it is under way.
    bool begin(const fd_record& one, purpose what) noexcept
    {
        if (std::exchange(of(one.fd).operations[what].under_way, true))
            return false;
        ++under_way_;
        ++count_->registrations;
        return true;
    }

    // Once, if it is under way.
    void cancel(const fd_record& one, unsigned what) noexcept
    {
        member::operation& its = of(one.fd).operations[what];
        if (its.under_way && !std::exchange(its.cancelled, true))
            ring_.cancel(tag(one, what), about{none, one.fd, 0}.pack());
    }

    void listen_again(fd_record& one) noexcept
    {
        if (!one.fd_hook<dirty_fd_tag>::is_linked())
            again_.push_back(one);
    }

    // --- what the system says

    void complete(about of_what, int result, unsigned flags) noexcept
    {
        if (of_what.what == none)
            return;
        bool more = os::uring::more(flags);
        if (of_what.what == others) {
            others_polled_ = more;
            return look_at_others();
        }
        if (of_what.what != sending && !more)
            --under_way_;
        member& its = of(of_what.fd);
        if (of_what.generation != its.generation) {
            if (os::uring::has_buffer(flags))
                ring_.give_back(os::uring::buffer_of(flags));
            return;
        }
        if (of_what.what != sending && !more)
            its.operations[of_what.what] = {};
        fd_record& one = *fds_->find(of_what.fd);
        switch (of_what.what) {
        case wait_in:
            its.connected = true;
            return report(one, ready::in);
        case wait_out:
            return room(one, result);
        case wait_reset:
            if (result > 0 && (result & (POLLERR | POLLHUP)))
                cancel(one, receiving); // the next one begins with what the socket has
            return;
        case receiving:
            return received(one, result, flags);
        case sending:
            return sent(one, result);
        default:
            VK_ASSERT(false);
        }
    }

    void look_at_others() noexcept
    {
        while (others_.wait(0)) {}
    }

    void received(fd_record& one, int result, unsigned flags) noexcept
    {
        member& its = of(one.fd);
        if (result > 0) {
            arrived_.add(its.in, os::uring::buffer_of(flags), static_cast<std::size_t>(result));
            report(one, ready::in);
            if (its.in.held >= held_max)
                cancel(one, receiving);
        } else if (os::uring::has_buffer(flags)) {
            ring_.give_back(os::uring::buffer_of(flags));
        }
        if (its.is_under_way(receiving) || its.ended)
            return;
        if (result == 0 || (result < 0 && !may_go_on(-result)))
            end(one, result);
        else if (its.output_lost)
            report(one, ready::in | ready::failed);
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
            if (its.is_under_way(receiving))
                return -EAGAIN;
            ++count_->reads;
            got = os::receive(fd, to, bytes);
            bool all = got == -EAGAIN && its.output_lost;
            if (all)
                got = its.out_error;
            if (all || got == 0 || (got < 0 && !may_go_on(static_cast<int>(-got)))) {
                its.ended = true;
                its.end = static_cast<int>(got);
            }
        }
        if (its.in.empty() && !its.is_under_way(receiving) && !its.ended)
            listen_again(*fds_->find(fd));
        return got;
    }

    bool has_received(int fd) const noexcept override
    {
        const member& its = of(fd);
        return !its.in.empty() || its.ended || (its.output_lost && !its.is_under_way(receiving));
    }

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
        ssize_t taken = -EINTR;
        // Not left to the poll for room: one that is under way reports what has changed, and nothing has.
        while (taken == -EINTR) {
            ++count_->writes;
            taken = os::send(fd, left.data(), left.size());
        }
        return taken_of(*fds_->find(fd), taken);
    }

    // What the system took of the slot of `one`. Returns as push() does.
    int taken_of(fd_record& one, ssize_t taken) noexcept
    {
        member& its = of(one.fd);
        if (taken < 0 && taken != -EAGAIN) {
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
        poll_out(one);
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
        ring_.send(fd, all.data(), all.size(), tag(*fds_->find(fd), sending));
    }

    // Not all was.
    void sent(fd_record& one, int result) noexcept
    {
        (void)(result == -EINTR ? push(one.fd) : taken_of(one, result));
        if (of(one.fd).out_error)
            output_failed(one);
    }

    // Nobody waits for it: the thread that reads, and whose answer was lost, must not wait for ever for a peer that waits
    // for the answer. What has come is read before the error, also what still lies with the system.
    void output_failed(fd_record& one) noexcept
    {
        member& its = of(one.fd);
        its.output_lost = true;
        cancel(one, receiving);
        if (!its.is_under_way(receiving))
            report(one, ready::in | ready::failed);
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
        if (found && !wanted)
            cancel(one, wait_out);
        if (found && wanted && (!is_owed(one) || push(one.fd) != -EAGAIN))
            report(one, ready::out);
        if (its.out_error)
            output_failed(one);
        poll_out(one);
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
    edge_set others_;                  // all but TCP connections
    bool others_polled_ = false;
    dirty_fds again_;           // to be listened to again
    std::size_t under_way_ = 0; // operations that the system holds, but for sends
    arrivals arrived_;
    departures departed_;
    os::uring ring_;

    struct {
        os::uring* ring;
        void operator()(unsigned buffer) const noexcept { ring->give_back(buffer); }
    } give_back_{&ring_};
};

poller* make_uring(const poller_parts& parts)
{
    if (!parts.masked)
        return make_or_epoll<uring_poller>("io_uring", parts);
    log::info("memory is masked: the poller is uring-poll");
    return uring_poll_driver.make(parts);
}

// The memory of uring-poll is less.
constexpr std::size_t fd_bytes = uring_poller::fd_bytes();

} // namespace

extern const driver uring_driver{"uring", make_uring, fd_bytes};

} // namespace vk
