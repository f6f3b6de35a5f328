// What a nested call costs: a task that returns a number, awaited in a loop; and a chain of eight.

#include "bench/in_process.hpp"
#include "bench/micro.hpp"
#include "bench/plain_task.hpp"

#include "vk/coroutine/task.hpp"

namespace vk::bench {

namespace {

constexpr std::uint64_t chain = 8;

[[gnu::noinline]] std::uint64_t called(std::uint64_t x)
{
    disturb(x);
    return x + 1;
}

[[gnu::noinline]] std::uint64_t called_deep(std::uint64_t x, std::uint64_t depth)
{
    if (depth == 0)
        return called(x);
    std::uint64_t below = called_deep(x, depth - 1);
    disturb(below);
    return below + 1;
}

// Not inlined, so that no compiler may put the frame into the caller's.
[[gnu::noinline]] plain_task<std::uint64_t> plain(std::uint64_t x)
{
    disturb(x);
    co_return x + 1;
}

[[gnu::noinline]] plain_task<std::uint64_t> plain_deep(std::uint64_t x, std::uint64_t depth)
{
    std::uint64_t below = 0;
    if (depth == 0)
        below = co_await plain(x);
    else
        below = co_await plain_deep(x, depth - 1);
    co_return below + 1;
}

plain_task<std::uint64_t> plain_loop(std::uint64_t n)
{
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; ++i)
        sum = co_await plain(sum);
    co_return sum;
}

plain_task<std::uint64_t> plain_deep_loop(std::uint64_t n)
{
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; i += chain)
        sum = co_await plain_deep(sum, chain - 2);
    co_return sum;
}

timing run_plain(plain_task<std::uint64_t> (*loop)(std::uint64_t))
{
    return [loop](std::uint64_t n) {
        const std::int64_t began = now_ns();
        keep(loop(n).run());
        return now_ns() - began;
    };
}

[[gnu::noinline]] task<std::uint64_t> nested(std::uint64_t x)
{
    disturb(x);
    co_return x + 1;
}

[[gnu::noinline]] task<std::uint64_t> nested_deep(std::uint64_t x, std::uint64_t depth)
{
    std::uint64_t below = 0;
    if (depth == 0)
        below = co_await nested(x);
    else
        below = co_await nested_deep(x, depth - 1);
    co_return below + 1;
}

task<> nested_loop(std::uint64_t n, std::int64_t& elapsed)
{
    const std::int64_t began = now_ns();
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; ++i)
        sum = co_await nested(sum);
    keep(sum);
    elapsed = now_ns() - began;
}

task<> nested_deep_loop(std::uint64_t n, std::int64_t& elapsed)
{
    const std::int64_t began = now_ns();
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; i += chain)
        sum = co_await nested_deep(sum, chain - 2);
    keep(sum);
    elapsed = now_ns() - began;
}

std::int64_t run_called(std::uint64_t n)
{
    const std::int64_t began = now_ns();
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; ++i)
        sum = called(sum);
    keep(sum);
    return now_ns() - began;
}

std::int64_t run_called_deep(std::uint64_t n)
{
    const std::int64_t began = now_ns();
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < n; i += chain)
        sum = called_deep(sum, chain - 2);
    keep(sum);
    return now_ns() - began;
}

} // namespace

topics call_topics()
{
    return {
        {"nested task",
         {{"malloc frames", run_plain(plain_loop)},
          {"vk::task", in_process(nested_loop)},
          {"function call", run_called}}},
        {"nested task, 8 deep",
         {{"malloc frames", run_plain(plain_deep_loop)},
          {"vk::task", in_process(nested_deep_loop)},
          {"function call", run_called_deep}}},
    };
}

} // namespace vk::bench
