#include "bench/churn.hpp"

#include "bench/client.hpp"
#include "bench/machine.hpp"

#include <array>
#include <cerrno>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

churn::churn(endpoint server, const traffic& kind, int connections)
    : server_(server),
      dialogue_(make_dialogue(kind)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      connections_(static_cast<std::size_t>(connections)),
      buffer_(64 * 1024)
{
    if (epoll_ < 0)
        fail("epoll_create1");
    dialogue_->begin(connections_.size(), 1);
    for (std::size_t i = 0; i < connections_.size(); ++i)
        connections_[i].number = i;
}

churn::~churn()
{
    for (auto& c : connections_)
        close(c);
    if (epoll_ >= 0)
        ::close(epoll_);
}

void churn::open(connection& c)
{
    c.asked = c.answered = false;
    c.began = now_ns();
    c.fd = client_socket(SOCK_NONBLOCK);
    ++open_;
    if (!connect_to(c.fd, server_.port) && errno != EINPROGRESS)
        fail("connect");
    ask(c); // on loopback it stands already, unless the server's backlog is full
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (c.asked ? 0u : EPOLLOUT);
    event.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0)
        fail("epoll_ctl");
}

void churn::close(connection& c)
{
    if (c.fd < 0)
        return;
    ::close(c.fd);
    c.fd = -1;
    --open_;
}

void churn::ask(connection& c)
{
    const auto request = dialogue_->requests(c.number, 0, 1).bytes;
    const ssize_t put = ::send(c.fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EAGAIN)
        return;
    if (put != static_cast<ssize_t>(request.size()))
        fail("send");
    c.asked = true;
}

// True when the server has ended the connection.
bool churn::receive(connection& c)
{
    for (;;) {
        const ssize_t got = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
        if (got < 0 && errno == EAGAIN)
            return false;
        if (got == 0 || (got < 0 && errno == ECONNRESET && c.answered))
            return true;
        if (got < 0)
            fail("recv");
        const auto came =
            dialogue_->take(c.number, {buffer_.data(), static_cast<std::size_t>(got)});
        if (came.answers + (c.answered ? 1 : 0) + (came.partial ? 1 : 0) > 1)
            throw load_error("the server answered more than it was asked");
        c.answered |= came.answers > 0;
        if (c.answered && !dialogue_->closes())
            return false;
    }
}

void churn::wake(connection& c, measurement& run)
{
    if (!c.asked)
        ask(c);
    if (!c.asked)
        return;
    const bool before = c.answered;
    const bool ended = receive(c);
    if (ended && !c.answered)
        throw load_error("the server closed a connection without an answer");
    if (!c.answered)
        return;
    if (!before) {
        ++answered_;
        if (run.measuring())
            run.record(now_ns() - c.began, 1);
    }
    if (!ended && dialogue_->closes())
        return;
    close(c);
    if (!run.draining())
        open(c);
}

load_result churn::closed_loop(span_of_time time)
{
    std::array<epoll_event, 1024> events;
    answered_ = 0;
    measurement run(server_.pid, time);
    patience waiting(run.began());
    for (auto& c : connections_)
        open(c);
    while (open_ > 0) {
        const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
        for (int i = 0; i < ready; ++i)
            wake(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr), run);
        const std::int64_t now = now_ns();
        waiting.check(ready > 0, now);
        run.end_measuring(now);
        run.end_warming(now);
    }
    return run.finish(answered_);
}

} // namespace vk::bench
