#pragma once

// slow_server: an echo server that takes its time, so that a test knows what it can do at most.

#include "support/catch.hpp"

#include "bench/server.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

/// Echoes the lines of some connections, those of each one after the other with a pause before it. It ends when
/// all of them have come and gone.
class slow_server {
public:
    slow_server(std::chrono::milliseconds pause, int connections) : pause_(pause)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(listener_ >= 0);
        REQUIRE(::bind(listener_, any, bytes) == 0);
        REQUIRE(::listen(listener_, connections) == 0);
        REQUIRE(::getsockname(listener_, any, &bytes) == 0);
        port_ = ntohs(address.sin_port);
        for (int i = 0; i < connections; ++i)
            threads_.emplace_back([this] { serve(); });
    }

    ~slow_server()
    {
        ::shutdown(listener_, SHUT_RDWR);
        for (auto& each : threads_)
            each.join();
        ::close(listener_);
    }
    slow_server(const slow_server&) = delete;
    slow_server& operator=(const slow_server&) = delete;

    endpoint at() const { return {::getpid(), port_}; }

    /// How many lines did not end where a line ends.
    int torn() const { return torn_; }

private:
    static constexpr std::size_t line_bytes = 64;

    void serve()
    {
        std::array<char, line_bytes> line;
        const int fd = ::accept(listener_, nullptr, nullptr);
        while (::recv(fd, line.data(), line.size(), MSG_WAITALL) == line_bytes) {
            std::this_thread::sleep_for(pause_);
            torn_ += line.back() == '\n' ? 0 : 1;
            if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) < 0)
                break;
        }
        if (fd >= 0)
            ::close(fd);
    }

    std::chrono::milliseconds pause_;
    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port_ = 0;
    std::atomic<int> torn_ = 0;
    std::vector<std::thread> threads_;
};

} // namespace vk::bench
