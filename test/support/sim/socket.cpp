#include "support/sim/socket.hpp"

#include <algorithm>
#include <limits>

#include <sys/epoll.h>

namespace vk::sim {

namespace {

constexpr std::uint32_t everything = 0;

} // namespace

socket::socket(int family, std::size_t capacity, network later)
    : family_{family}, received_{capacity}, later_{std::move(later)}
{
}

void socket::join(const std::shared_ptr<socket>& one, const std::shared_ptr<socket>& other)
{
    one->peer_ = other;
    other->peer_ = one;
    one->state_ = other->state_ = state::connected;
}

target socket::kind() const noexcept
{
    return reset() || hang_up_reported() ? target::ended_socket : target::socket;
}

std::size_t socket::room_at_peer() const noexcept
{
    const auto other = peer_.lock();
    return other ? other->received_.room() : std::numeric_limits<std::size_t>::max();
}

bool socket::writable() noexcept
{
    const auto other = peer_.lock();
    const std::size_t enough =
        other ? std::max<std::size_t>(1, other->received_.capacity() / 3) : 0;
    if (!output_stalled() && room_at_peer() >= enough)
        return true;
    wants_room_ = true; // asking is enough to be told
    return false;
}

std::uint32_t socket::readiness()
{
    switch (state_) {
    case state::fresh:
        return EPOLLOUT | EPOLLHUP;
    case state::connecting:
        return 0;
    case state::listening:
        return has_pending() ? EPOLLIN : 0u;
    case state::connected:
    case state::dead:
        break;
    }
    std::uint32_t bits = 0;
    if (reset() || (sees_end() && write_shut_))
        bits |= EPOLLHUP;
    if (sees_end())
        bits |= EPOLLIN | EPOLLRDHUP;
    if (has_input())
        bits |= EPOLLIN;
    if (write_shut_ || writable())
        bits |= EPOLLOUT;
    if (error_ != 0)
        bits |= EPOLLERR;
    return bits;
}

ssize_t socket::read(const iovec* parts, int count)
{
    if (state_ != state::connected && state_ != state::dead)
        return -ENOTCONN;
    if (bytes_of(parts, count) == 0)
        return 0;
    if (!has_input())
        return no_input();
    const std::size_t bytes = received_.take(parts, count);
    freed_room();
    return static_cast<ssize_t>(bytes);
}

ssize_t socket::no_input()
{
    if (fin_ && !input_stalled())
        return 0;
    if (error_ != 0)
        return -take_error();
    return sees_end() ? 0 : -EAGAIN;
}

void socket::freed_room()
{
    const auto other = peer_.lock();
    if (!other || !other->wants_room_ || other->output_stalled())
        return;
    if (received_.room() < std::max<std::size_t>(1, received_.capacity() / 3))
        return;
    other->wants_room_ = false;
    other->wake(EPOLLOUT);
}

ssize_t socket::write(const iovec* parts, int count)
{
    if (state_ != state::connected && state_ != state::dead)
        return state_ == state::connecting ? -EAGAIN : -EPIPE;
    if (error_ != 0)
        return -take_error();
    if (write_shut_)
        return -EPIPE;
    const std::size_t wanted = bytes_of(parts, count);
    if (wanted == 0)
        return 0;
    const auto other = peer_.lock();
    if (!other || other->done_with_data()) {
        if (other)
            other->receive_reset(ECONNRESET);
        later_([self = shared_from_this()] { self->receive_reset(ECONNRESET); });
        return static_cast<ssize_t>(wanted);
    }
    const std::size_t bytes = output_stalled() ? 0 : other->received_.put(parts, count);
    if (bytes < wanted)
        wants_room_ = true;
    if (bytes == 0)
        return -EAGAIN;
    if (!other->input_stalled())
        other->wake(EPOLLIN);
    return static_cast<ssize_t>(bytes);
}

int socket::shutdown(int how)
{
    if (state_ != state::connected || over()) {
        wake(everything);
        return -ENOTCONN;
    }
    if (how == SHUT_RD || how == SHUT_RDWR)
        read_shut_ = true;
    if (how == SHUT_WR || how == SHUT_RDWR) {
        if (!write_shut_)
            end_peer();
        write_shut_ = true;
    }
    wake(everything);
    return 0;
}

void socket::end_peer()
{
    const auto other = peer_.lock();
    if (!other)
        return;
    other->receive_end();
    // TCP says when the end was acknowledged: an edge with nothing new in it.
    if (family_ != AF_UNIX && !fin_)
        later_([self = shared_from_this()] { self->wake(everything); });
}

void socket::receive_end()
{
    fin_ = true;
    if (!input_stalled())
        wake(everything);
}

void socket::receive_reset(int error)
{
    if (state_ != state::connected || over())
        return;
    error_ = fin_ && family_ != AF_UNIX ? EPIPE : error;
    state_ = state::dead;
    read_shut_ = write_shut_ = true;
    end_input_stall();
    end_output_stall();
    wake(everything);
}

void socket::sever(int own_error)
{
    const auto other = peer_.lock();
    peer_.reset();
    state_ = state::dead;
    error_ = own_error;
    read_shut_ = write_shut_ = true;
    received_.clear();
    wake(everything);
    if (other)
        other->receive_reset(ECONNRESET);
}

void socket::refuse(int error)
{
    state_ = state::dead;
    error_ = error;
    read_shut_ = write_shut_ = true;
    wake(everything);
}

void socket::close()
{
    for (const auto& pending : std::exchange(backlog_, {}))
        pending->sever(0);
    for (const auto& then : std::exchange(waiting_, {}))
        then();
    const auto other = peer_.lock();
    peer_.reset();
    if (!other || state_ != state::connected)
        return;
    other->peer_.reset();
    if (!received_.empty())
        return other->receive_reset(ECONNRESET);
    if (family_ == AF_UNIX)
        other->write_shut_ = true;
    if (!write_shut_ || family_ == AF_UNIX)
        other->receive_end();
}

void socket::start_listening(int backlog)
{
    state_ = state::listening;
    backlog_max_ = static_cast<std::size_t>(std::max(backlog, 0)) + 1; // as Linux counts
}

void socket::offer(std::shared_ptr<socket> end)
{
    backlog_.push_back(std::move(end));
    if (!input_stalled())
        wake(EPOLLIN);
}

std::shared_ptr<socket> socket::take_pending()
{
    auto end = std::move(backlog_.front());
    backlog_.pop_front();
    if (!waiting_.empty()) {
        const auto then = std::move(waiting_.front());
        waiting_.pop_front();
        then();
    }
    return end;
}

} // namespace vk::sim
