#pragma once

// channel: values from threads of the process to threads of the process, in order, a bounded number on their way.

#include "vk/proc/parking.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace vk {

/// Up to `Capacity` values lie in the channel itself; who sends more waits. Fair on both sides: who comes first is
/// served first, and runs before who comes later. Who waits to receive is given a value itself; who waits to send is
/// promised room, and its value is in the channel when it has run. The value type moves without throwing: a value that
/// is given to a thread must get there.
template <class T, std::size_t Capacity>
class channel {
    static_assert(Capacity > 0);
    static_assert(std::is_nothrow_move_constructible_v<T>);

public:
    channel() noexcept = default;
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    std::size_t size() const noexcept { return size_; }
    bool is_closed() const noexcept { return closed_; }

    /// Let no more be sent: who waits to send is told so; what lies in the channel is still received, then its end.
    void close() noexcept
    {
        closed_ = true;
        senders_.wake_all();
        receivers_.wake_all();
    }

    class send_awaiter : parked {
    public:
        send_awaiter(channel& to, T&& value, std::source_location where) noexcept
            : parked(where), to_(&to), value_(std::move(value))
        {
        }
        bool await_ready() const noexcept { return to_->closed_ || to_->has_room(); }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, to_->senders_, "channel::send");
            to_->promise_room();
        }
        bool await_resume()
        {
            resume();
            if (to_->closed_)
                return false;
            to_->put(std::move(value_));
            return true;
        }

    private:
        channel* to_;
        T value_;
    };

    class receive_awaiter : parked {
    public:
        receive_awaiter(channel& from, std::source_location where) noexcept
            : parked(where), from_(&from)
        {
        }
        bool await_ready() const noexcept { return from_->has_value() || from_->has_ended(); }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, from_->receivers_, "channel::receive", this);
            from_->serve_late();
        }
        std::optional<T> await_resume()
        {
            return resume() ? std::exchange(given_, std::nullopt) : from_->take();
        }

    private:
        friend channel;

        channel* from_;
        std::optional<T> given_; // none: the channel was closed
    };

    /// Send `value`. Returns whether it is in the channel: not when that is closed, before or meanwhile. Suspends where
    /// there is no room. Ended early by cancellation, and by the end of the channel; nothing has been sent then.
    [[nodiscard("a closed channel takes nothing")]] send_awaiter
    send(T value, std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, std::move(value), where};
    }

    /// Receive the oldest value; nothing when the channel is closed and empty. Suspends where there is none. Ended early
    /// by cancellation, and by the end of the channel; nothing has been received then.
    receive_awaiter receive(std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, where};
    }

private:
    bool has_room() const noexcept { return senders_.is_idle() && size_ < Capacity; }
    bool has_ended() const noexcept { return closed_ && receivers_.is_idle(); }
    bool has_value() const noexcept { return receivers_.is_idle() && size_ > 0; }

    // There is room.
    void put(T&& value) noexcept
    {
        if (!receivers_.empty()) {
            give(std::move(value));
            promise_room(); // it took none
            return;
        }
        values_[(first_ + size_) % Capacity].emplace(std::move(value));
        ++size_;
    }

    std::optional<T> take() noexcept
    {
        if (size_ == 0)
            return std::nullopt;
        std::optional<T> taken = std::exchange(values_[first_], std::nullopt);
        first_ = (first_ + 1) % Capacity;
        --size_;
        promise_room();
        return taken;
    }

    // To who waits longest.
    void give(T&& value) noexcept
    {
        thread& one = receivers_.front();
        static_cast<receive_awaiter*>(one.awaiter())->given_.emplace(std::move(value));
        receivers_.wake(one);
    }

    // One waits that could be served but for those who were woken: it runs behind them.
    void serve_late() noexcept
    {
        if (size_ > 0 && !receivers_.empty())
            give(*take());
        if (closed_)
            receivers_.wake_all();
    }

    void promise_room() noexcept { senders_.serve(Capacity - size_); }

    // size_ is 0 while a receiver waits; while a sender does, what lies in the channel and what was promised fill it.
    std::array<std::optional<T>, Capacity> values_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    bool closed_ = false;
    parking_lot senders_;
    parking_lot receivers_;
};

} // namespace vk
