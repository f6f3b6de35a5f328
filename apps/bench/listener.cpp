#include "bench/listener.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace vk::bench {

int listen_on_loopback(int flags)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);

    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || ::bind(fd, any, bytes) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
        ::getsockname(fd, any, &bytes) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot listen on 127.0.0.1");
    say_listening(ntohs(address.sin_port));
    return fd;
}

void say_listening(std::uint16_t port)
{
    fmt::print("listening on 127.0.0.1:{}\n", port);
    std::fflush(stdout);
}

void no_delay(int fd) noexcept
{
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

} // namespace vk::bench
