// skynet: a tree of tasks. Each has ten children, whose results it adds up, or is one of a million leaves, whose result
// is its number.
//
// It is one coroutine, compiled for each kind of task.

#include "bench/in_process.hpp"
#include "bench/on_asio.hpp"
#include "bench/runtime.hpp"

#include <stdexcept>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr std::uint64_t children = 10;
constexpr std::uint64_t leaves = 1'000'000;
constexpr std::uint64_t tasks = 1'111'111;

template <class Task>
[[gnu::noinline]] Task skynet(std::uint64_t first, std::uint64_t size)
{
    if (size == 1)
        co_return first;
    const std::uint64_t each = size / children;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < children; ++i) {
        const std::uint64_t below = co_await skynet<Task>(first + i * each, each);
        sum += below;
    }
    co_return sum;
}

void check(std::uint64_t sum)
{
    if (sum != leaves * (leaves - 1) / 2)
        throw std::runtime_error("skynet: the sum is wrong");
}

task<> on_vk(std::uint64_t, std::int64_t& elapsed)
{
    const std::int64_t began = now_ns();
    const std::uint64_t sum = co_await skynet<task<std::uint64_t>>(0, leaves);
    elapsed = now_ns() - began;
    check(sum);
}

on_asio::awaitable in_asio(std::int64_t& elapsed)
{
    const std::int64_t began = now_ns();
    const std::uint64_t sum = co_await skynet<on_asio::awaitable_of<std::uint64_t>>(0, leaves);
    elapsed = now_ns() - began;
    check(sum);
}

std::int64_t run_asio(std::uint64_t)
{
    std::int64_t elapsed = 0;
    on_asio::asio::io_context context(1);
    on_asio::asio::co_spawn(context.get_executor(), in_asio(elapsed), on_asio::rethrow);
    context.run();
    return elapsed;
}

} // namespace

topic skynet_topic()
{
    return {fmt::format("skynet, a task of {}", tasks),
            {{"asio", run_asio}, {"vk", in_process(on_vk)}},
            tasks};
}

} // namespace vk::bench
