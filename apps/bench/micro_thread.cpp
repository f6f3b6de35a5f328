// What threads cost: a switch from one to another, and to start one and wait for its end.

#include "bench/in_process.hpp"
#include "bench/micro.hpp"

#include "vk/proc/spawn.hpp"
#include "vk/proc/yield.hpp"

#include <array>
#include <coroutine>
#include <thread>

#include <ucontext.h>

namespace vk::bench {

namespace {

/// A coroutine and nothing else: resumed by hand, it suspends again at once.
struct bare {
    struct promise_type {
        bare get_return_object()
        {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        std::suspend_always final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> frame;
};

bare endless(std::uint64_t* turns)
{
    for (;;) {
        ++*turns;
        co_await std::suspend_always{};
    }
}

// Two coroutines and a queue of two: the least a scheduler can do.
std::int64_t run_bare(std::uint64_t n)
{
    std::uint64_t turns = 0;
    std::array<std::coroutine_handle<>, 2> queue{endless(&turns).frame, endless(&turns).frame};
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 0; i < n; ++i) {
        auto& next = queue[i % queue.size()];
        disturb(next);
        next.resume();
    }
    const std::int64_t ended = now_ns();
    for (auto& each : queue)
        each.destroy();
    return ended - began;
}

ucontext_t outer;
ucontext_t inner;

void back_and_forth()
{
    for (;;)
        ::swapcontext(&inner, &outer);
}

std::int64_t run_ucontext(std::uint64_t n)
{
    static std::array<char, 64 * 1024> stack;
    ::getcontext(&inner);
    inner.uc_stack.ss_sp = stack.data();
    inner.uc_stack.ss_size = stack.size();
    inner.uc_link = nullptr;
    ::makecontext(&inner, back_and_forth, 0);
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 0; i < n; i += 2) // there and back are two switches
        ::swapcontext(&outer, &inner);
    return now_ns() - began;
}

task<> yield_often(std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i)
        co_await yield();
}

// Two threads of a process that only give way to each other.
task<> switch_loop(std::uint64_t n, std::int64_t& elapsed)
{
    thread_handle other = spawn(yield_often, n / 2);
    co_await yield();
    const std::int64_t began = now_ns();
    co_await yield_often(n / 2);
    elapsed = now_ns() - began;
    co_await other.join();
}

task<> end_at_once()
{
    co_return;
}

task<> spawn_loop(std::uint64_t n, std::int64_t& elapsed)
{
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 0; i < n; ++i) {
        thread_handle one = spawn(end_at_once);
        co_await one.join();
    }
    elapsed = now_ns() - began;
}

void start_and_join(std::uint64_t)
{
    std::thread each([] {});
    each.join();
}

} // namespace

topics thread_topics()
{
    return {
        {"thread switch",
         {{"bare coroutines", run_bare},
          {"vk::yield", in_process(switch_loop)},
          {"swapcontext", run_ucontext}}},
        {"spawn and join",
         {{"std::thread", each(start_and_join)}, {"vk::spawn", in_process(spawn_loop)}}},
    };
}

} // namespace vk::bench
