#pragma once

// blocking_connection: one connection from its first request to its end, by blocking reads and
// writes, for servers that have a thread or a process for each. What is answered, a Reply says
// (reply.hpp).

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

/// False when the peer takes no more.
inline bool send_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

/// Until the peer ends the connection. The fd is closed.
template <class Reply>
void serve_connection(int fd)
{
    constexpr std::size_t read_bytes = 16 * 1024; // of a small stack
    static_assert(read_bytes <= Reply::read_bytes);
    std::array<char, read_bytes> buffer;
    Reply reply;
    for (;;) {
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || !send_all(fd, reply({buffer.data(), static_cast<std::size_t>(got)})))
            break;
    }
    ::close(fd);
}

} // namespace vk::bench
