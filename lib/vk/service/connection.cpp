#include "vk/service/connection.hpp"

namespace vk {
namespace {

// The root of a connection's process: its socket lives in this frame. What the service wrote is sent before
// the process ends.
task<> serve_connection(const service* serve, int in, int out, std::chrono::nanoseconds timeout)
{
    descriptor from(in);
    descriptor to(out);
    socket io(from, in == out ? from : to);
    io.set_timeout(timeout);
    task<> served = (*serve)(io);
    co_await std::move(served);
    co_await io.flush();
}

} // namespace

void connection::start(process& fresh, int fd) const
{
    fresh.start([&] { return serve_connection(&service_, fd, fd, timeout_); });
}

void standard_connection::start(process& fresh, int) const
{
    fresh.start([&] { return serve_connection(&service_, 0, 1, {}); });
}

} // namespace vk
