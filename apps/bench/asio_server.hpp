#pragma once

// asio_server: Boost.Asio as its documentation shows it: a C++20 coroutine a connection, one thread
// (concurrency hint 1). What is answered, a Reply says (reply.hpp).
//
// 2 KiB of buffer hold 16 small requests twice over.

#include "bench/listener.hpp"
#include "bench/on_asio.hpp"

#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace vk::bench::on_asio {

template <class Reply>
awaitable serve(stream socket)
{
    char data[2048];
    Reply reply;
    try {
        for (;;) {
            const std::size_t got =
                co_await socket.async_read_some(asio::buffer(data), use_awaitable);
            const std::string_view answer = reply({data, got});
            co_await asio::async_write(socket, asio::buffer(answer), use_awaitable);
        }
    } catch (const boost::system::system_error&) {
        // the peer's end, or its reset: this connection is over
    }
}

template <class Reply>
awaitable listen(acceptor& listener)
{
    for (;;) {
        stream socket = co_await listener.async_accept(use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(listener.get_executor(), serve<Reply>(std::move(socket)), asio::detached);
    }
}

template <class Reply>
void run()
{
    asio::io_context context(1);
    acceptor listener(context, tcp::v4(), listen_on_loopback(0));
    asio::co_spawn(context.get_executor(), listen<Reply>(listener), asio::detached);
    context.run();
}

} // namespace vk::bench::on_asio
