#pragma once

// on_asio: the words of Boost.Asio that its programs here share.
//
// The executor's type is known at compile time, which spares Asio its type-erased default.

#if defined(__clang__) // Boost 1.74 looks for clang's coroutines where they were before C++20
#define BOOST_ASIO_HAS_CO_AWAIT 1
#define BOOST_ASIO_HAS_STD_COROUTINE 1
#endif

#include <exception>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace vk::bench::on_asio {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using executor = asio::io_context::executor_type;
template <class T>
using awaitable_of = asio::awaitable<T, executor>;
using awaitable = awaitable_of<void>;
using stream = asio::basic_stream_socket<tcp, executor>;
using acceptor = asio::basic_socket_acceptor<tcp, executor>;

inline constexpr asio::use_awaitable_t<executor> use_awaitable;

/// For co_spawn: what escapes the coroutine escapes io_context::run().
inline void rethrow(std::exception_ptr failure)
{
    if (failure)
        std::rethrow_exception(std::move(failure));
}

} // namespace vk::bench::on_asio
