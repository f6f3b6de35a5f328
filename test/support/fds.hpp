#pragma once

// fds: file descriptors for tests, and the count of those that are open.

#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::test {

/// File descriptors that this OS process has open.
inline std::size_t open_fds()
{
    namespace fs = std::filesystem;
    auto all = std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    return static_cast<std::size_t>(all) - 1; // the one that reads the directory
}

/// A file descriptor with an owner.
class unique_fd {
public:
    explicit unique_fd(int fd = -1) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~unique_fd() { reset(); }

    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

/// Two connected stream sockets: `near`, non-blocking, is for a kernel; `far` is the client's, and blocks.
struct connection_pair {
    unique_fd near;
    unique_fd far;
};

/// Of unix sockets.
struct socket_pair : connection_pair {
    socket_pair()
    {
        int fds[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
            throw std::runtime_error("socketpair");
        near = unique_fd(fds[0]);
        far = unique_fd(fds[1]);
        ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
    }
};

/// Of TCP, over loopback.
struct tcp_pair : connection_pair {
    tcp_pair()
    {
        unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof(at);
        auto* address = reinterpret_cast<sockaddr*>(&at);
        far = unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::bind(listener.get(), address, bytes) < 0 || ::listen(listener.get(), 1) < 0 ||
            ::getsockname(listener.get(), address, &bytes) < 0 ||
            ::connect(far.get(), address, bytes) < 0)
            throw std::runtime_error("tcp_pair");
        near = unique_fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        const int on = 1;
        ::setsockopt(far.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        ::setsockopt(near.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }

    /// Break the connection: the near end finds it reset.
    void reset()
    {
        const linger at_once{1, 0};
        ::setsockopt(far.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        far.reset();
    }
};

/// Write all of `bytes` to a blocking fd; false when that is refused.
inline bool write_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

/// Read from a blocking fd until its end, or an error.
inline std::string read_to_end(int fd)
{
    std::string all;
    char bytes[16 * 1024];
    for (ssize_t count; (count = ::read(fd, bytes, sizeof(bytes))) > 0;)
        all.append(bytes, static_cast<std::size_t>(count));
    return all;
}

/// Read `count` bytes from a blocking fd; fewer at its end.
inline std::string read_exactly(int fd, std::size_t count)
{
    std::string all(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        ssize_t got = ::read(fd, all.data() + done, count - done);
        if (got <= 0)
            break;
        done += static_cast<std::size_t>(got);
    }
    all.resize(done);
    return all;
}

} // namespace vk::test
