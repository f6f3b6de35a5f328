#include "vk/service/connection.hpp"

namespace vk {
namespace {

// The root of a connection's process: its socket lives in this frame. What the service wrote is sent before
// the process ends.
task<> serve_connection(const service* serve, int fd, bool tcp, std::chrono::nanoseconds timeout)
{
    descriptor at(fd, tcp);
    socket io(at, at);
    io.set_timeout(timeout);
    task<> served = (*serve)(io);
    co_await std::move(served);
    co_await io.flush();
}

task<> serve_standard_streams(const service* serve)
{
    descriptor in(0);
    descriptor out(1);
    socket io(in, out);
    task<> served = (*serve)(io);
    co_await std::move(served);
    co_await io.flush();
}

} // namespace

void connection::start(process& fresh, int fd) const
{
    fresh.start([&] { return serve_connection(&service_, fd, tcp_, timeout_); });
}

void standard_connection::start(process& fresh, int) const
{
    fresh.start([&] { return serve_standard_streams(&service_); });
}

} // namespace vk
