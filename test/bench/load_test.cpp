#include "support/catch.hpp"

#include "bench/load.hpp"

#include <array>
#include <chrono>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using vk::bench::endpoint;
using vk::bench::load;

namespace {

constexpr std::size_t line_bytes = 64;

/// Echoes the lines of one connection, one after the other, with a pause before each.
class slow_server {
public:
    explicit slow_server(std::chrono::microseconds pause) : pause_(pause)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(listener_ >= 0);
        REQUIRE(::bind(listener_, any, bytes) == 0);
        REQUIRE(::listen(listener_, 1) == 0);
        REQUIRE(::getsockname(listener_, any, &bytes) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }

    ~slow_server()
    {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }

    endpoint at() const { return {::getpid(), port_}; }

private:
    void serve() const
    {
        std::array<char, line_bytes> line;
        const int fd = ::accept(listener_, nullptr, nullptr);
        while (::recv(fd, line.data(), line.size(), MSG_WAITALL) == line_bytes) {
            std::this_thread::sleep_for(pause_);
            if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) < 0)
                break;
        }
        ::close(fd);
    }

    std::chrono::microseconds pause_;
    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port_ = 0;
    std::thread thread_;
};

} // namespace

TEST_CASE("of a load beyond what a server can do, what it answers in the time counts")
{
    const slow_server server(std::chrono::milliseconds(2));
    load clients(server.at(), {}, 1, 4);
    const auto result = clients.offer(5'000, {0.1, 0.4});
    CHECK(result.seconds >= 0.4);
    CHECK(result.requests > 0);
    CHECK(result.per_second() <= 505); // 2 ms and more each
    CHECK(result.answered >= result.requests);
    CHECK(result.answered < 2'000); // of 2,500: the rest was never sent
}

TEST_CASE("what has no answer at the end counts with its age")
{
    const slow_server server(std::chrono::milliseconds(2));
    load clients(server.at(), {}, 1, 4);
    const auto result = clients.offer(5'000, {0, 0.4});
    CHECK(result.latency.total() >= 2'000); // all that were due
    CHECK(result.latency.at(0.5) >= 100'000'000);
    CHECK(result.latency.max() >= 300'000'000);
}

TEST_CASE("a load may be offered after another, on the same connections")
{
    const slow_server server(std::chrono::milliseconds(1));
    load clients(server.at(), {}, 1, 4);
    const auto able = clients.closed_loop({0, 0.1});
    CHECK(clients.offer(10 * able.per_second(), {0, 0.1}).requests > 0);
    const auto below = clients.offer(50, {0, 0.2});
    CHECK(below.requests >= 1);
    CHECK(below.requests <= below.answered);
    CHECK(below.answered <= 60);
}
