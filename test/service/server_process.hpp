#pragma once

// server_process: a server in an OS process of its own, and its clients.

#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/isolation.hpp"

#include <vk/service/address.hpp>
#include <vk/service/server.hpp>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace vk::test {

/// Options of a small server on a free port, on the level and with the driver of the environment.
inline server_options server_options_here()
{
    server_options made;
    made.listen = "127.0.0.1:0";
    made.isolation = isolation_level();
    made.connections_max = 100;
    made.drain = std::chrono::milliseconds(300);
    return made;
}

/// A connection to `to`; reading from it fails rather than wait for ever.
inline unique_fd connect_to(const address& to)
{
    unique_fd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (::connect(fd.get(), to.raw(), to.bytes()) < 0)
        return unique_fd();
    return fd;
}

/// Whether a read finds nothing, neither bytes nor an end, for `ms`.
inline bool is_silent(const unique_fd& fd, int ms)
{
    pollfd level{fd.get(), POLLIN, 0};
    return ::poll(&level, 1, ms) == 0;
}

/// A line, with its newline; shorter at an end or an error.
inline std::string read_line(const unique_fd& fd)
{
    std::string line;
    char byte;
    while (::read(fd.get(), &byte, 1) == 1) {
        line += byte;
        if (byte == '\n')
            break;
    }
    return line;
}

/// Write a line, and read the answer to it.
inline std::string ask(const unique_fd& fd, const std::string& line)
{
    return write_all(fd.get(), line) ? read_line(fd) : "";
}

class server_process {
public:
    server_process(const server_options& options, const service& what)
        : out_(make_pipe()),
          running_(
              [&] {
                  ::dup2(out_.second.get(), STDOUT_FILENO);
                  out_.first.reset();
                  out_.second.reset();
                  return serve(options, what);
              },
              60)
    {
        out_.second.reset();
        for (std::size_t i = 0; i < options.listen.size(); ++i) {
            std::string line = read_line(out_.first);
            const std::string start = "listening on ";
            if (line.rfind(start, 0) != 0)
                break; // it did not start: wait() says why
            addresses_.push_back(
                address::parse(line.substr(start.size(), line.size() - start.size() - 1)));
        }
    }

    bool started() const noexcept { return !addresses_.empty(); }
    const address& at(std::size_t index = 0) const { return addresses_.at(index); }
    unique_fd connect(std::size_t index = 0) const { return connect_to(at(index)); }
    int pid() const noexcept { return running_.pid(); }

    void signal(int number) const { ::kill(pid(), number); }
    ending wait() { return running_.wait(); }

    /// SIGTERM, and how it ended.
    ending stop()
    {
        signal(SIGTERM);
        return wait();
    }

    /// File descriptors that the server has open.
    std::size_t open_fds() const
    {
        namespace fs = std::filesystem;
        auto folder = fs::path("/proc") / std::to_string(pid()) / "fd";
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }

private:
    static std::pair<unique_fd, unique_fd> make_pipe()
    {
        int fds[2];
        if (::pipe2(fds, O_CLOEXEC) < 0)
            throw std::runtime_error("pipe");
        return {unique_fd(fds[0]), unique_fd(fds[1])};
    }

    std::pair<unique_fd, unique_fd> out_;
    child running_;
    std::vector<address> addresses_;
};

} // namespace vk::test
