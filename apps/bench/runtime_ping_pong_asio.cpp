// ping-pong in Asio: one io_context, a coroutine for each end of a connection.

#include "bench/on_asio.hpp"
#include "bench/runtime.hpp"

#include <array>
#include <cstddef>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace vk::bench {

namespace {

using namespace on_asio;
using message = std::array<char, ping_bytes>;

// One read takes what has come, which is the whole message here; only the rest would need another.
asio::mutable_buffer missing(message& m, std::size_t got)
{
    return asio::buffer(m) + got;
}

awaitable answer(stream socket)
{
    message m;
    try {
        for (;;) {
            std::size_t got = 0;
            while (got < m.size())
                got += co_await socket.async_read_some(missing(m, got), use_awaitable);
            co_await asio::async_write(socket, asio::buffer(m), use_awaitable);
        }
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::eof)
            throw;
    }
}

awaitable listen(acceptor& at, int connections)
{
    for (int i = 0; i < connections; ++i) {
        stream socket = co_await at.async_accept(use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(at.get_executor(), answer(std::move(socket)), rethrow);
    }
}

awaitable play(executor on, tcp::endpoint at, std::uint64_t round_trips)
{
    stream socket(on);
    co_await socket.async_connect(at, use_awaitable);
    socket.set_option(tcp::no_delay(true));
    message m{};
    for (std::uint64_t i = 0; i < round_trips; ++i) {
        co_await asio::async_write(socket, asio::buffer(m), use_awaitable);
        std::size_t got = 0;
        while (got < m.size())
            got += co_await socket.async_read_some(missing(m, got), use_awaitable);
    }
}

std::int64_t run_asio(int connections, std::uint64_t round_trips)
{
    asio::io_context context(1);
    acceptor at(context, {asio::ip::address_v4::loopback(), 0});
    const auto on = context.get_executor();
    const std::uint64_t each = round_trips / static_cast<std::uint64_t>(connections);
    asio::co_spawn(on, listen(at, connections), rethrow);
    const std::int64_t began = now_ns();
    for (int i = 0; i < connections; ++i)
        asio::co_spawn(on, play(on, at.local_endpoint(), each), rethrow);
    context.run();
    return now_ns() - began;
}

} // namespace

timing asio_ping_pong(int connections)
{
    return [connections](std::uint64_t n) { return run_asio(connections, n); };
}

} // namespace vk::bench
