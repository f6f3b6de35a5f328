#include "vk/service/listener.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/io/call.hpp"
#include "vk/kernel/start.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace vk {
namespace {

// Errors of accept(2) after which the listener is short of something; all others concern one connection.
bool is_shortage(int error) noexcept
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Errors that no later accept on this fd will mend.
bool is_final(int error) noexcept
{
    return error == EBADF || error == EINVAL || error == ENOTSOCK || error == EOPNOTSUPP;
}

// Another listener may have filled the last place while this one waited for a connection.
int accept_if_vacant(int fd) noexcept
{
    return process::current().shared().vacancies > 0 ? os::accept(fd) : -EBUSY;
}

task<> accept_all(int fd, const program* serve)
{
    descriptor at(fd);
    wait_list readers;
    at.readers = &readers;
    counters& count = process::current().shared().count;
    bool told = false; // a shortage is logged once, until it is over

    for (;;) {
        co_await vacancy();
        int accepted = co_await call(at, accept_if_vacant, "accept");
        if (accepted >= 0) {
            ++count.accepts;
            told = false;
            co_await start(*serve, accepted);
            continue;
        }
        if (accepted == -ESHUTDOWN)
            co_return;
        if (accepted == -EBUSY)
            continue;
        ++count.accept_errors;
        if (is_final(-accepted))
            raise(-accepted, "accept");
        if (!is_shortage(-accepted))
            continue;
        if (!told)
            log::warn("accept: {}; waiting for a connection to end", std::strerror(-accepted));
        told = true;
        co_await vacancy_change(limits::accept_retry_ms * 1'000'000);
    }
}

int checked(int result, int fd, const address& at, const char* step)
{
    if (result >= 0)
        return result;
    if (fd >= 0)
        (void)os::close(fd);
    throw error(-result, fmt::format("{} {}", step, at.text()).c_str());
}

// Whether the unix path is a socket at which nobody answers any more. Any other file is left alone.
bool is_abandoned(const address& at) noexcept
{
    if (os::is_socket(at.path()) != 1)
        return false;
    int probe = os::socket(AF_UNIX, SOCK_STREAM, 0);
    if (probe < 0)
        return false;
    int result = os::connect(probe, at.raw(), at.bytes());
    (void)os::close(probe);
    return result == -ECONNREFUSED;
}

} // namespace

void listener::start(process& fresh, int fd) const
{
    fresh.start([&] { return accept_all(fd, serve_); });
}

int open_listener(const address& at, const listen_options& how)
{
    int fd = checked(os::socket(at.family(), SOCK_STREAM, 0), -1, at, "socket for");
    if (!at.is_unix()) {
        checked(os::set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1), fd, at, "SO_REUSEADDR for");
        // Inherited by the connections it accepts (tcp(7)): answers do not wait for acknowledgements.
        checked(os::set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1), fd, at, "TCP_NODELAY for");
        if (how.share_port)
            checked(os::set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1), fd, at, "SO_REUSEPORT for");
    }
    int bound = os::bind(fd, at.raw(), at.bytes());
    if (bound == -EADDRINUSE && at.is_unix() && is_abandoned(at)) {
        (void)os::unlink(at.path());
        bound = os::bind(fd, at.raw(), at.bytes());
    }
    checked(bound, fd, at, "listen on");
    checked(os::listen(fd, how.backlog ? how.backlog : limits::backlog_default), fd, at,
            "listen on");
    return fd;
}

} // namespace vk
