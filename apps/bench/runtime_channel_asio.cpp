// The channel in Asio: by hand, and Asio's own, where Boost has one (1.78).

#include "bench/asio_queue.hpp"
#include "bench/runtime.hpp"

#if __has_include(<boost/asio/experimental/channel.hpp>)
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/redirect_error.hpp>
#define VK_BENCH_ASIO_CHANNEL 1
#else
#define VK_BENCH_ASIO_CHANNEL 0
#endif

namespace vk::bench {

namespace {

using namespace on_asio;

awaitable produce(queue& to, std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i)
        while (!to.put(i))
            co_await to.wait_for_room();
    to.close();
}

awaitable consume(queue& from, std::uint64_t& sum)
{
    for (;;) {
        const auto next = from.take();
        if (next)
            sum += *next;
        else if (from.is_closed())
            co_return;
        else
            co_await from.wait_for_value();
    }
}

#if VK_BENCH_ASIO_CHANNEL

using asios_own =
    asio::experimental::channel<executor, void(boost::system::error_code, std::uint64_t)>;

awaitable produce(asios_own& to, std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i)
        co_await to.async_send(boost::system::error_code{}, i, use_awaitable);
    to.close();
}

awaitable consume(asios_own& from, std::uint64_t& sum)
{
    boost::system::error_code end;
    for (;;) {
        const std::uint64_t next =
            co_await from.async_receive(asio::redirect_error(use_awaitable, end));
        if (end)
            co_return;
        sum += next;
    }
}

#endif

/// Two coroutines with a Channel between them, until both have ended.
template <class Channel>
timing between_two(std::size_t capacity)
{
    return [capacity](std::uint64_t n) {
        asio::io_context context(1);
        Channel between(context.get_executor(), capacity);
        std::uint64_t sum = 0;
        const std::int64_t began = now_ns();
        asio::co_spawn(context.get_executor(), consume(between, sum), rethrow);
        asio::co_spawn(context.get_executor(), produce(between, n), rethrow);
        context.run();
        const std::int64_t ended = now_ns();
        check_sum(n, sum);
        return ended - began;
    };
}

} // namespace

std::vector<subject> asio_channels(std::size_t capacity)
{
    std::vector<subject> all{{"asio, by hand", between_two<queue>(capacity)}};
#if VK_BENCH_ASIO_CHANNEL
    all.push_back({"asio::experimental::channel", between_two<asios_own>(capacity)});
#endif
    return all;
}

} // namespace vk::bench
