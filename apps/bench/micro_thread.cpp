// What threads cost: a switch from one to another, to start one and wait for its end, and to talk to another.

#include "bench/in_process.hpp"
#include "bench/micro.hpp"

#include "vk/proc/channel.hpp"
#include "vk/proc/future.hpp"
#include "vk/proc/semaphore.hpp"
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

using doubling = future<std::uint64_t, std::uint64_t>;

task<> answer(doubling* to, std::uint64_t times)
{
    responder from(*to);
    for (std::uint64_t i = 0; i < times; ++i) {
        auto one = co_await from.listen();
        one.respond(2 * one.request());
    }
}

// Each request is asked, answered and resumed.
task<> request_loop(std::uint64_t n, std::int64_t& elapsed)
{
    doubling service;
    thread_handle other = spawn(answer, &service, n);
    co_await yield();
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 0; i < n; ++i)
        keep(co_await service.request(i));
    elapsed = now_ns() - began;
    co_await other.join();
}

using queue_of_one = channel<std::uint64_t, 1>;

task<> send_often(queue_of_one* to, std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i)
        (void)co_await to->send(i);
}

// A value at a time, so that each takes a switch.
task<> receive_loop(std::uint64_t n, std::int64_t& elapsed)
{
    queue_of_one between;
    thread_handle other = spawn(send_often, &between, n);
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 0; i < n; ++i)
        keep(*co_await between.receive());
    elapsed = now_ns() - began;
    co_await other.join();
}

task<> pass_on(semaphore* from, semaphore* to, std::uint64_t times)
{
    for (std::uint64_t i = 0; i < times; ++i) {
        co_await from->acquire();
        to->release();
    }
}

task<> semaphore_loop(std::uint64_t n, std::int64_t& elapsed)
{
    semaphore there;
    semaphore back;
    thread_handle other = spawn(pass_on, &there, &back, n / 2);
    there.release();
    const std::int64_t began = now_ns();
    co_await pass_on(&back, &there, n / 2);
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
        {"word from thread to thread",
         {{"none: vk::yield", in_process(switch_loop)},
          {"semaphore, handed over", in_process(semaphore_loop)},
          {"channel of one, a value", in_process(receive_loop)},
          {"future, request and answer", in_process(request_loop)}}},
        {"spawn and join",
         {{"std::thread", each(start_and_join)}, {"vk::spawn", in_process(spawn_loop)}}},
    };
}

} // namespace vk::bench
