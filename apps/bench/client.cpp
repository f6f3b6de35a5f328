#include "bench/client.hpp"

#include "bench/dialogue.hpp"
#include "bench/listener.hpp"

#include <cerrno>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace vk::bench {

void fail(const char* what)
{
    throw load_error(fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

int client_socket(int flags)
{
    const linger reset{1, 0};
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        fail("socket");
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    no_delay(fd);
    return fd;
}

bool connect_to(int fd, std::uint16_t port) noexcept
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

} // namespace vk::bench
