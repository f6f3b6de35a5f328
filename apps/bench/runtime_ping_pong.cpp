// ping-pong: clients send a message over TCP, a server sends it back; both ends on one thread.
//
// One kernel runs all of it: the listener, a process for each connection it accepts, and a process for each client.

#include "bench/runtime.hpp"

#include <vk/kernel/kernel.hpp>
#include <vk/kernel/task_program.hpp>
#include <vk/service/connection.hpp>
#include <vk/service/listener.hpp>
#include <vk/service/outgoing.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>

#include <fmt/core.h>

namespace vk::bench {

namespace {

using message = std::array<char, ping_bytes>;

/// What the clients share. It lies outside of their heaps.
struct match {
    address at;
    std::uint64_t each = 0; // round trips of a client
    std::uint64_t done = 0; // of all
};

task<> answer(socket& io)
{
    message m;
    while (co_await io.read(std::span(m)) == m.size())
        co_await io.write({m.data(), m.size()});
}

task<> play(match& of)
{
    outgoing out;
    co_await out.connect(of.at, std::chrono::seconds(5));
    message m{};
    for (std::uint64_t i = 0; i < of.each; ++i) {
        co_await out.io().write({m.data(), m.size()});
        if (co_await out.io().read(std::span(m)) != m.size())
            co_return;
        ++of.done;
    }
}

void start(kernel& on, const program& what, int fd, bool daemon)
{
    if (!on.start(what, fd, daemon))
        throw std::runtime_error("ping-pong: no place for a process");
}

std::int64_t run_vk(int connections, std::uint64_t round_trips)
{
    const auto clients = static_cast<std::size_t>(connections);
    const kernel::pointer here = kernel::make({.processes_max = 2 * clients});
    const connection serving(answer, {}, fd_kind::tcp);
    const listener accepting(serving);
    const int fd = open_listener(address::parse("127.0.0.1:0"), {});
    match of{address::of_socket(fd), round_trips / clients};
    const task_program playing{task_function<>(play, of)};
    start(*here, accepting, fd, true); // it does not end by itself
    const std::int64_t began = now_ns();
    for (int i = 0; i < connections; ++i)
        start(*here, playing, -1, false);
    here->run();
    const std::int64_t ended = now_ns();
    if (of.done != of.each * clients)
        throw std::runtime_error("ping-pong: a client was not answered");
    return ended - began;
}

} // namespace

topic ping_pong_topic(int connections, std::uint64_t round_trips)
{
    const auto clients = static_cast<std::uint64_t>(connections);
    const std::uint64_t each = std::max<std::uint64_t>(1, round_trips / clients);
    return {fmt::format("TCP ping-pong, {} connection{}", connections, connections == 1 ? "" : "s"),
            {{"asio", asio_ping_pong(connections)},
             {"vk", [connections](std::uint64_t n) { return run_vk(connections, n); }}},
            each * clients};
}

} // namespace vk::bench
