#pragma once

// asio_queue: a bounded queue between two coroutines of Asio, by hand.
//
// For one sender and one receiver, both on the same executor. A value costs no more than a queue does, unless one of
// them must wait: who waits leaves its handler behind, which the other posts.

#include "bench/on_asio.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>

namespace vk::bench::on_asio {

class queue {
public:
    queue(executor on, std::size_t capacity) : on_(on), capacity_(capacity) {}

    /// False when there is no room.
    bool put(std::uint64_t value)
    {
        if (values_.size() == capacity_)
            return false;
        values_.push_back(value);
        wake(receiver_);
        return true;
    }

    /// The oldest value; nothing when there is none.
    std::optional<std::uint64_t> take()
    {
        if (values_.empty())
            return std::nullopt;
        const std::uint64_t taken = values_.front();
        values_.pop_front();
        wake(sender_);
        return taken;
    }

    void close()
    {
        closed_ = true;
        wake(receiver_);
    }
    bool is_closed() const noexcept { return closed_; }

    awaitable wait_for_room() { return wait(sender_); }
    awaitable wait_for_value() { return wait(receiver_); }

private:
    using handler = asio::async_result<asio::use_awaitable_t<executor>, void()>::handler_type;
    using waiter = std::optional<handler>;

    static awaitable wait(waiter& who)
    {
        return asio::async_initiate<const asio::use_awaitable_t<executor>&, void()>(
            [&who](handler&& waits) { who.emplace(std::move(waits)); }, use_awaitable);
    }

    void wake(waiter& who)
    {
        if (!who)
            return;
        handler woken = std::move(*who);
        who.reset();
        asio::post(on_, std::move(woken));
    }

    executor on_;
    std::size_t capacity_;
    std::deque<std::uint64_t> values_;
    bool closed_ = false;
    waiter sender_;
    waiter receiver_;
};

} // namespace vk::bench::on_asio
