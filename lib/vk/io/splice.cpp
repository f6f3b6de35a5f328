// splice: from the input of a socket to the output of one, by their rings.

#include "vk/io/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace vk {

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

progress splice_awaiter::attempt() noexcept
{
    for (;;) {
        move();
        if (is_over())
            return progress::done;
        waits_for_input_ = from_->rx_.size() == 0;
        std::string_view none;
        progress made = waits_for_input_ ? from_->fill() : to_->send(none, true);
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
