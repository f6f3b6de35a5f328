#pragma once

// epoll_server: the baseline of every end-to-end figure: one thread, edge-triggered epoll, each fd
// registered once.
//
// As few system calls as this kernel interface allows: a read shorter than was asked has drained
// the fd (unless the peer's end was reported with it), a write goes out at once, and what the peer
// does not take waits for the next edge. So a batch of requests is one read and one write, and a
// wait is shared by all that are ready. What is answered, a Reply says (reply.hpp).

#include "bench/listener.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

template <class Reply>
class epoll_server {
public:
    epoll_server()
        : listener_(listen_on_loopback(SOCK_NONBLOCK)), epoll_(::epoll_create1(EPOLL_CLOEXEC))
    {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET;
        event.data.ptr = nullptr;
        if (epoll_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0)
            throw std::system_error(errno, std::generic_category(), "epoll");
    }

    [[noreturn]] void run()
    {
        for (;;) {
            const int ready =
                ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), -1);
            for (int i = 0; i < ready; ++i) {
                const auto& event = events_[static_cast<std::size_t>(i)];
                if (event.data.ptr == nullptr)
                    accept_all();
                else
                    wake(*static_cast<connection*>(event.data.ptr), event.events);
            }
        }
    }

private:
    struct connection {
        int fd = -1;
        bool ended = false;    // the peer's end was reported: read until 0, do not deduce
        bool readable = false; // an edge came while output was waiting
        std::string output;    // what the peer did not take yet; empty in the normal case
        Reply reply;
    };

    void accept_all()
    {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                return;
            no_delay(fd);
            auto* c = new connection;
            c->fd = fd;
            epoll_event event{};
            event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
            event.data.ptr = c;
            if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
                close(*c);
        }
    }

    void wake(connection& c, std::uint32_t events)
    {
        c.ended |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        c.readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        if (!c.output.empty() && !send_rest(c))
            return;
        if (c.readable)
            serve(c);
    }

    void serve(connection& c)
    {
        for (;;) {
            const ssize_t got = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
            if (got < 0 && errno == EAGAIN)
                break;
            if (got <= 0)
                return close(c);
            const auto bytes = static_cast<std::size_t>(got);
            const std::string_view answer = c.reply({buffer_.data(), bytes});
            const ssize_t put =
                answer.empty() ? 0 : ::send(c.fd, answer.data(), answer.size(), MSG_NOSIGNAL);
            if (put < 0 && errno != EAGAIN)
                return close(c);
            if (put != static_cast<ssize_t>(answer.size())) {
                c.output = answer.substr(static_cast<std::size_t>(put > 0 ? put : 0));
                return; // still readable: reading goes on when the peer has taken it
            }
            if (bytes < buffer_.size() && !c.ended)
                break;
        }
        c.readable = false;
    }

    // True when all of it is out.
    bool send_rest(connection& c)
    {
        const ssize_t put = ::send(c.fd, c.output.data(), c.output.size(), MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN) {
            close(c);
            return false;
        }
        if (put > 0)
            c.output.erase(0, static_cast<std::size_t>(put));
        return c.output.empty();
    }

    void close(connection& c)
    {
        ::close(c.fd);
        delete &c;
    }

    int listener_;
    int epoll_;
    std::array<epoll_event, 1024> events_{};
    std::array<char, Reply::read_bytes> buffer_{};
};

} // namespace vk::bench
