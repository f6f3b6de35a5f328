#include "vk/service/connection.hpp"

#include "vk/base/os.hpp"
#include "vk/proc/alone.hpp"

namespace vk {
namespace {

// Read and drop what still comes, until the client has taken what was sent. Closing a TCP connection with
// unread bytes resets it, and a reset throws away what is still on its way (RFC 9112, 9.6).
task<> linger(socket& io, std::size_t bytes_max)
{
    co_await io.tx_close();
    io.clear();
    io.outlast_drain();
    io.set_timeout(std::chrono::milliseconds(limits::linger_quiet_ms));
    nanoseconds deadline = after(os::now(), limits::linger_ms_max * 1'000'000);
    char dropped[256];
    std::size_t left = bytes_max / sizeof(dropped);
    while (os::now() < deadline && left-- > 0) {
        bool quiet = false;
        try {
            std::size_t count = co_await io.read(std::span(dropped));
            if (count < sizeof(dropped))
                co_return;
        } catch (const timed_out&) {
            quiet = true;
        }
        if (quiet && os::unsent(io.tx_fd()) <= 0)
            co_return;
    }
}

// Threads that the service spawned may use the socket: it outlives them. A failure, or a cancellation while
// waiting, ends them.
task<> outlast_others(bool failed)
{
    while (process::current().threads() > 1) {
        if (failed)
            process::current().cancel_others(thread::current());
        try {
            co_await alone();
        } catch (const cancelled&) {
            failed = true;
        }
    }
}

// Run the service, and then what it left running. Returns what escaped it.
task<std::exception_ptr> run_service(const service* serve, socket& io)
{
    std::exception_ptr failure;
    try {
        task<> served = (*serve)(io);
        co_await std::move(served);
        if (io.writes_to_socket())
            co_await io.tx_close(); // of a pipeline, whose stages wait for that
    } catch (...) {
        failure = std::current_exception();
    }
    io.set_deadline({});
    if (process::current().threads() > 1) {
        task<> outlasting = outlast_others(failure != nullptr);
        co_await std::move(outlasting);
    }
    co_return failure;
}

// See that what the service wrote arrives. A client that made it fail is not listened to for long.
task<> finish(socket& io, bool failed)
{
    co_await io.flush();
    if (io.ended_by_peer())
        co_return;
    task<> lingering = linger(io, failed ? limits::linger_bytes_max : ~std::size_t{0});
    co_await std::move(lingering);
}

// The root of a connection's process: its socket lives in this frame.
task<> serve_connection(const service* serve, int fd, fd_kind kind,
                        std::chrono::nanoseconds timeout)
{
    descriptor at(fd, kind);
    socket io(at, at);
    io.set_timeout(timeout);
    task<std::exception_ptr> running = run_service(serve, io);
    std::exception_ptr failure = co_await std::move(running);
    try {
        task<> finishing = finish(io, failure != nullptr);
        co_await std::move(finishing);
    } catch (const std::system_error&) {
        // The client is gone, or does not take it: the service's own failure says more.
    }
    if (failure)
        std::rethrow_exception(failure);
}

task<> serve_standard_streams(const service* serve)
{
    descriptor in(0);
    descriptor out(1);
    socket io(in, out);
    task<std::exception_ptr> running = run_service(serve, io);
    std::exception_ptr failure = co_await std::move(running);
    if (failure)
        std::rethrow_exception(failure);
    co_await io.flush();
}

} // namespace

void connection::start(process& fresh, int fd) const
{
    fresh.start([&] { return serve_connection(&service_, fd, kind_, timeout_); });
}

void standard_connection::start(process& fresh, int) const
{
    fresh.start([&] { return serve_standard_streams(&service_); });
}

} // namespace vk
