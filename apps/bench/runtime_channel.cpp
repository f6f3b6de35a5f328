// channel: one coroutine sends the numbers from 0 through a channel, another adds them up until it is closed.

#include "bench/in_process.hpp"
#include "bench/runtime.hpp"

#include "vk/proc/channel.hpp"
#include "vk/proc/spawn.hpp"

#include <stdexcept>

#include <fmt/core.h>

namespace vk::bench {

namespace {

template <std::size_t Capacity>
using channel_of = channel<std::uint64_t, Capacity>;

template <std::size_t Capacity>
task<> produce(channel_of<Capacity>* to, std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i)
        (void)co_await to->send(i);
    to->close();
}

template <std::size_t Capacity>
task<> consume(std::uint64_t n, std::int64_t& elapsed)
{
    channel_of<Capacity> between;
    const std::int64_t began = now_ns();
    thread_handle other = spawn(produce<Capacity>, &between, n);
    std::uint64_t sum = 0;
    for (;;) {
        const auto next = co_await between.receive();
        if (!next)
            break;
        sum += *next;
    }
    elapsed = now_ns() - began;
    co_await other.join();
    check_sum(n, sum);
}

template <std::size_t Capacity>
topic channel_topic(std::uint64_t values)
{
    topic made{fmt::format("channel of {}, a value", Capacity), asio_channels(Capacity), values};
    made.subjects.push_back({"vk", in_process(consume<Capacity>)});
    return made;
}

} // namespace

void check_sum(std::uint64_t n, std::uint64_t sum)
{
    if (sum != n * (n - 1) / 2)
        throw std::runtime_error("channel: not all values came");
}

std::vector<topic> channel_topics(std::uint64_t values)
{
    return {channel_topic<1>(values), channel_topic<64>(values)};
}

} // namespace vk::bench
