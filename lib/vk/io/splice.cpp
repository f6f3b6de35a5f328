// splice: from the input of a socket to the output of one.
//
// Two ways. By their rings; or, once those are empty, by the system: splice(2) where one of the fds is a pipe, sendfile(2)
// from a file to a connection. Which it is, is asked once (fstat(2)), and only for what is more than a block: less is
// moved by as many calls as it takes to ask. From one connection to another the bytes go by the rings: a pipe in between
// may hold what the output did not take, and a cancelled splice would have to find room for it.
//
// With either, nothing is under way between two calls: what has been taken is written, or lies in a ring.

#include "vk/base/os.hpp"
#include "vk/io/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <poll.h>

namespace vk {

namespace {

os::file_kind kind_of(const descriptor& at) noexcept
{
    os::file_status found{};
    bool known = !at.is_socket && os::status_of(at.fd, found) == 0;
    return known ? found.kind : os::file_kind::other;
}

} // namespace

// Without a copy where all of a block goes to an empty ring.
void splice_awaiter::move() noexcept
{
    buffer& rx = from_->rx_;
    buffer& tx = to_->tx_;
    rx.release();
    if (rx.size() == 0 || left_ == 0 || to_->tx_end_)
        return;
    if (!tx.acquire(*to_->owner_)) {
        to_->tx_error_ = ENOMEM;
        return;
    }
    std::uint64_t before = left_;
    if (rx.size() <= left_ && tx.take_all(rx)) {
        left_ -= tx.size();
    } else {
        while (left_ > 0 && rx.size() > 0 && tx.room() > 0) {
            std::string_view some = rx.front().substr(0, std::min<std::uint64_t>(left_, rx.size()));
            std::size_t taken = tx.write(some.data(), some.size());
            rx.consume(taken);
            left_ -= taken;
        }
    }
    moved_ += before - left_;
    from_->touch();
    to_->touch();
    if (socket* reader = to_->out_.peer)
        reader->wake_reader();
}

bool splice_awaiter::is_over() const noexcept
{
    bool no_more = from_->rx_.size() == 0 && (from_->rx_end_ || from_->rx_error_);
    return left_ == 0 || no_more || to_->tx_error_ || to_->tx_end_;
}

progress splice_awaiter::move_by_rings() noexcept
{
    waits_for_input_ = from_->rx_.size() == 0;
    std::string_view none;
    return waits_for_input_ ? from_->fill() : to_->send(none, true);
}

// Of files of other kinds (terminals, what does as it likes) it is not known what splice(2) says.
splice_awaiter::way splice_awaiter::between(const descriptor& in, const descriptor& out) noexcept
{
    using enum os::file_kind;
    if (in.is_socket && out.is_socket)
        return way::rings;
    os::file_kind source = kind_of(in);
    bool gives = in.is_socket || source == pipe || source == regular;
    if (gives && kind_of(out) == pipe)
        return way::splice;
    if (!out.is_socket)
        return way::rings;
    return source == pipe ? way::splice : source == regular ? way::send_file : way::rings;
}

// What a driver receives has left the system. An end that is near is found by a read, though there may be no room to move
// anything.
bool splice_awaiter::goes_by_system() noexcept
{
    if (way_ == way::rings || !from_->in_.fd || !to_->out_.fd || from_->rx_.size() > 0)
        return false;
    if (way_ == way::unknown && left_ > limits::block_bytes)
        way_ = between(in(), out());
    if (in().by)
        way_ = way::rings;
    bool ends = in().hang_up && !out().may_write;
    return way_ > way::rings && !ends;
}

progress splice_awaiter::move_by_system() noexcept
{
    waits_for_input_ = false;
    if (progress made = to_->flush_some(); made != progress::done || to_->tx_error_)
        return made;
    if (!in().may_read) {
        waits_for_input_ = true;
        return from_->nothing_to_read(in());
    }
    if (!out().may_write)
        return to_->blocked_on(out(), ready::out);
    if (from_->owner_->spent())
        return progress::spent;
    auto piece = std::min<std::uint64_t>(left_, limits::dispatch_bytes_max);
    ++from_->owner_->shared().count.writes;
    return learn(way_ == way::splice ? os::splice(out().fd, in().fd, piece)
                                     : os::send_file(out().fd, in().fd, piece),
                 piece);
}

// What moving `moved` of `asked` bytes says of the fds. One of them has had enough if those are less, and which one is asked
// before the next call says EAGAIN for either. A file has no more then.
progress splice_awaiter::learn(ssize_t moved, std::size_t asked) noexcept
{
    if (moved < 0)
        return learn_from_failure(static_cast<int>(-moved));
    if (moved == 0) {
        in().drained();
        from_->rx_end_ = true;
        return progress::done;
    }
    auto bytes = static_cast<std::size_t>(moved);
    counters& total = from_->owner_->shared().count;
    total.bytes_in += bytes;
    total.bytes_out += bytes;
    left_ -= bytes;
    moved_ += bytes;
    from_->owner_->spend(moved);
    from_->renew_deadline();
    to_->renew_deadline();
    in().took(bytes, false);
    in_doubt_ = false;
    if (bytes < asked && in().may_read && way_ == way::splice)
        (void)look();
    return progress::done;
}

progress splice_awaiter::learn_from_failure(int error) noexcept
{
    if (error == EAGAIN) {
        ++from_->owner_->shared().count.eagain;
        if (way_ == way::send_file)
            out().filled(); // a file is always ready
        else if (look() && std::exchange(in_doubt_, true))
            way_ = way::rings; // to ask for ever is no way to wait
    } else if (error == EINVAL || error == ENOSYS) {
        way_ = way::rings; // this fd is not one of those: a file of /proc, both ends of one pipe
    } else if (error != EINTR) {
        if (is_of_input(error))
            from_->rx_error_ = error;
        else
            to_->fail_output(error);
    }
    return progress::done; // the caller looks again
}

// Ask the system which of both is ready; returns whether both are. The poller is told at once that room is waited for, though
// the thread may wait for input first: an edge of room that nobody waits for is not passed on.
bool splice_awaiter::look() noexcept
{
    pollfd levels[2] = {{in().fd, POLLIN | POLLRDHUP, 0}, {out().fd, POLLOUT, 0}};
    if (os::poll(levels, 2, 0) < 0)
        return true; // not known to be otherwise
    if (levels[0].revents == 0)
        in().drained();
    if ((levels[0].revents & (POLLHUP | POLLRDHUP)) != 0)
        in().hang_up = true;
    if (levels[1].revents == 0) {
        out().filled();
        (void)to_->blocked_on(out(), ready::out);
    }
    return in().may_read && out().may_write;
}

// Of the two fds, the one that is a pipe fails by EPIPE alone, where it is the output. A connection may do so, too.
bool splice_awaiter::is_of_input(int error) const noexcept
{
    if (!in().is_socket)
        return error == EIO; // of a file
    pollfd level{out().fd, POLLOUT, 0};
    return error != EPIPE || os::poll(&level, 1, 0) <= 0 || (level.revents & POLLERR) == 0;
}

progress splice_awaiter::attempt() noexcept
{
    for (;;) {
        move();
        if (is_over())
            return progress::done;
        progress made = goes_by_system() ? move_by_system() : move_by_rings();
        if (made == progress::done)
            continue;
        if (suspended_)
            thread::current().wait_on(waits_for_input_ ? from_->in_.waiters : to_->out_.waiters);
        return made;
    }
}

void splice_awaiter::await_suspend(std::coroutine_handle<> caller) noexcept
{
    suspended_ = true;
    socket& io = waits_for_input_ ? *from_ : *to_;
    auto again = [](void* self) noexcept { return static_cast<splice_awaiter*>(self)->attempt(); };
    io.suspend(caller, waits_for_input_ ? socket::side::rx : socket::side::tx, state_, operation,
               where_, this, again);
}

std::uint64_t splice_awaiter::await_resume()
{
    if (suspended_)
        thread::current().check_wake(operation);
    if (left_ > 0) {
        if (to_->tx_end_ && !to_->tx_error_)
            to_->tx_error_ = EPIPE;
        to_->check_tx(operation);
        if (from_->rx_.size() == 0)
            from_->check_rx(operation);
    }
    return moved_;
}

// As bind(), in one direction.
void socket::bind_input(socket& writer) noexcept
{
    if (in_.peer == &writer && writer.out_.peer == this)
        return;
    VK_REQUIRE(!in_.bound() && !writer.out_.bound() && writer.owner_ == owner_);
    in_.peer = &writer;
    writer.out_.peer = this;
    if (writer.tx_error_ == ENOTCONN)
        writer.tx_error_ = 0;
}

} // namespace vk
