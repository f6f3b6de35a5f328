#include "bench/hogs.hpp"

#include "bench/client.hpp"
#include "bench/machine.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr std::size_t send_bytes = 16 * 1024;     // at least, in one turn
constexpr std::size_t receive_bytes = 128 * 1024; // at most, in one turn

std::string endless(const dialogue& words)
{
    const std::string some(words.requests(0, 0, dialogue::batch_max).bytes);
    std::string result;
    while (result.size() < send_bytes)
        result += some;
    return result;
}

} // namespace

hogs::hogs(endpoint server, const dialogue& words, int count)
    : requests_(endless(words)),
      answer_bytes_(words.answer_bytes()),
      connections_(static_cast<std::size_t>(count))
{
    for (auto& c : connections_) {
        c.fd = client_socket(0);
        if (!connect_to(c.fd, server.port))
            fail("connect");
    }
}

hogs::~hogs()
{
    stop();
}

void hogs::turn()
{
    if (connections_.empty())
        return;
    if (began_ == 0)
        began_ = now_ns();
    auto& c = connections_[next_++ % connections_.size()];
    receive(c);
    send(c);
}

void hogs::receive(connection& c)
{
    const ssize_t got = ::recv(c.fd, nullptr, receive_bytes, MSG_TRUNC | MSG_DONTWAIT);
    if (got == 0)
        throw load_error("the server closed the connection of a hog");
    if (got < 0 && errno != EAGAIN)
        fail("recv of a hog");
    if (got > 0)
        received_bytes_ += static_cast<std::uint64_t>(got);
}

void hogs::send(connection& c)
{
    const auto* from = requests_.data() + c.sent;
    const ssize_t put = ::send(c.fd, from, requests_.size() - c.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN)
        fail("send of a hog");
    if (put > 0)
        c.sent = (c.sent + static_cast<std::size_t>(put)) % requests_.size();
}

void hogs::stop() noexcept
{
    ended_ = now_ns();
    for (const auto& c : connections_)
        if (c.fd >= 0)
            ::close(c.fd);
    connections_.clear();
}

double hogs::per_second() const noexcept
{
    if (began_ == 0 || ended_ <= began_)
        return 0;
    const auto answers = static_cast<double>(received_bytes_) / static_cast<double>(answer_bytes_);
    return answers * 1e9 / static_cast<double>(ended_ - began_);
}

} // namespace vk::bench
