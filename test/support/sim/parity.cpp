#include "support/sim/parity.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include "support/sim/call.hpp"
#include "support/sim/dice.hpp"
#include "vk/base/os.hpp"

namespace vk::sim {

namespace {

constexpr std::uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

std::string text_of_bits(std::uint32_t bits)
{
    std::string text;
    const auto add = [&](std::uint32_t bit, const char* name) {
        if ((bits & bit) != 0)
            text += (text.empty() ? "" : "|") + std::string{name};
    };
    add(EPOLLIN, "IN");
    add(EPOLLOUT, "OUT");
    add(EPOLLRDHUP, "RDHUP");
    add(EPOLLHUP, "HUP");
    add(EPOLLERR, "ERR");
    add(POLLNVAL, "NVAL");
    return text.empty() ? "none" : text;
}

/// The scenario, a function for each subject.
class scenario {
public:
    scenario(parity_system& system, std::string path) : system_{system}, path_{std::move(path)} {}

    std::string run()
    {
        os::ignore_sigpipe();
        listening();
        accepting_without_descriptors();
        closing_a_listener();
        edges_of_data();
        level_and_one_shot();
        registrations();
        half_closed();
        own_shutdown();
        shutdown_of_reading();
        reset();
        reset_with_data();
        closed_with_unread_data();
        closing_with_unread_data();
        writing_to_a_closed_peer();
        no_room();
        big_writes();
        pipes();
        polling();
        signals();
        connecting();
        unconnected();
        unix_sockets();
        timeouts();
        memory();
        for (std::uint64_t seed = 1; seed <= 60; ++seed)
            at_random(seed);
        return record_;
    }

private:
    /// A connection: the program's end, registered or not, and the peer.
    struct connection {
        int fd;
        std::unique_ptr<parity_peer> peer;
    };

    void subject(const char* name) { record_ += std::string{"--- "} + name + "\n"; }
    void note(const std::string& line) { record_ += line + "\n"; }

    template <class Result>
    void note(const char* what, Result result)
    {
        const auto number = static_cast<long long>(result);
        note(std::string{what} + ": " +
             (number < 0 ? name_of_error(static_cast<int>(-number)) : std::to_string(number)));
    }

    /// Only whether it worked, where the number itself means nothing.
    template <class Result>
    Result note_sign(const char* what, Result result)
    {
        note(what, result < 0 ? result : 0);
        return result;
    }

    int open_listener(int backlog = 16)
    {
        const int fd = os::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        note("bind", os::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any));
        note("listen", os::listen(fd, backlog));
        note("local address", os::local_address(fd, address_));
        return fd;
    }

    std::unique_ptr<parity_peer> new_peer()
    {
        auto peer = system_.connect(address_);
        system_.settle();
        return peer;
    }

    connection open_connection()
    {
        if (listener_ < 0) {
            listener_ = open_listener();
            listener_address_ = address_;
        }
        address_ = listener_address_;
        auto peer = new_peer();
        const int fd = note_sign("accept", os::accept(listener_));
        note("set TCP_NODELAY", os::set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));
        sockaddr_storage theirs{};
        note("peer address", os::peer_address(fd, theirs));
        note("    family", theirs.ss_family);
        return {fd, std::move(peer)};
    }

    void watch(int epoll, int operation, int fd, std::uint32_t bits)
    {
        epoll_event event{.events = bits, .data = {.fd = 0}};
        note(operation == EPOLL_CTL_ADD   ? "add"
             : operation == EPOLL_CTL_MOD ? "modify"
                                          : "remove",
             os::epoll_control(epoll, operation, fd, &event));
    }

    /// What a wait of no length reports.
    void look(int epoll, int room = 8)
    {
        system_.settle();
        std::array<epoll_event, 8> events{};
        const int count = os::epoll_wait(epoll, events.data(), room, 0);
        std::string line = "events: " + std::to_string(count);
        for (int n = 0; n < count; ++n)
            line += " " + text_of_bits(events[static_cast<std::size_t>(n)].events);
        note(line);
    }

    void read(int fd, std::size_t bytes)
    {
        std::string buffer(bytes, '\0');
        const ssize_t count = os::read(fd, buffer.data(), bytes);
        note("read", count);
        if (count > 0)
            note("    " + buffer.substr(0, static_cast<std::size_t>(count)));
    }

    void write(int fd, std::string_view bytes)
    {
        note("write", os::write(fd, bytes.data(), bytes.size()));
    }

    void shut(int fd, int how)
    {
        note("shutdown", os::shutdown(fd, how));
        system_.settle_end();
    }

    void error_of(int fd)
    {
        int error = 0;
        note("get SO_ERROR", os::get_option(fd, SOL_SOCKET, SO_ERROR, error));
        note("    " + (error == 0 ? "none" : name_of_error(error)));
    }

    void close_all(connection& one, int epoll)
    {
        one.peer->close();
        note("close", os::close(one.fd));
        note("close", os::close(epoll));
        system_.settle();
    }

    void listening()
    {
        subject("a listener gives an edge for each connection");
        const int listener = open_listener();
        const int epoll = os::epoll_create();
        note("accept", os::accept(listener));
        watch(epoll, EPOLL_CTL_ADD, listener, edges);
        look(epoll);
        auto first = new_peer();
        look(epoll);
        look(epoll);
        auto second = new_peer();
        look(epoll);
        const int one = note_sign("accept", os::accept(listener));
        const int two = note_sign("accept", os::accept(listener));
        note("accept", os::accept(listener));
        look(epoll);
        sockaddr_storage own{};
        note("local address", os::local_address(one, own));
        note(std::memcmp(&own, &address_, sizeof(sockaddr_in)) == 0 ? "    the listener's"
                                                                    : "    another");
        first->close();
        second->close();
        for (const int fd : {one, two, epoll, listener})
            note("close", os::close(fd));
    }

    void accepting_without_descriptors()
    {
        subject("accept without descriptors");
        const int listener = open_listener();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, listener, edges);
        system_.use_up_descriptors();
        note("accept, nobody there", os::accept(listener));
        system_.free_descriptors();
        auto peer = new_peer();
        look(epoll);
        system_.use_up_descriptors();
        note("accept, somebody there", os::accept(listener));
        note("socket", os::socket(AF_INET, SOCK_STREAM, 0));
        note("epoll_create", os::epoll_create());
        int fds[2] = {-1, -1};
        note("pipe", os::pipe(fds));
        look(epoll);
        system_.free_descriptors();
        look(epoll);
        const int fd = note_sign("accept, later", os::accept(listener));
        peer->close();
        for (const int open : {fd, epoll, listener})
            note("close", os::close(open));
    }

    void closing_a_listener()
    {
        subject("a listener closed with a connection waiting");
        const int listener = open_listener();
        auto peer = new_peer();
        note("close", os::close(listener));
        system_.settle();
        note("peer: " + peer->receive());
        peer->close();
    }

    void edges_of_data()
    {
        subject("edges of data");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        look(epoll);
        one.peer->send("abc");
        look(epoll);
        look(epoll);
        one.peer->send("d");
        look(epoll);
        read(one.fd, 2);
        look(epoll);
        read(one.fd, 100);
        read(one.fd, 100);
        look(epoll);
        one.peer->send("e");
        one.peer->send("f");
        look(epoll);
        look(epoll);
        read(one.fd, 100);
        write(one.fd, "answer");
        look(epoll);
        note("peer: " + one.peer->receive());
        look(epoll);
        close_all(one, epoll);
    }

    void level_and_one_shot()
    {
        subject("level-triggered and one-shot");
        auto one = open_connection();
        auto two = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, EPOLLIN);
        look(epoll);
        one.peer->send("abc");
        look(epoll);
        look(epoll);
        read(one.fd, 1);
        look(epoll);
        watch(epoll, EPOLL_CTL_ADD, two.fd, EPOLLIN | EPOLLOUT);
        look(epoll);
        look(epoll, 1);
        read(one.fd, 100);
        look(epoll);
        watch(epoll, EPOLL_CTL_MOD, two.fd, EPOLLIN | EPOLLONESHOT);
        look(epoll);
        two.peer->send("x");
        look(epoll);
        two.peer->send("y");
        look(epoll);
        watch(epoll, EPOLL_CTL_MOD, two.fd, EPOLLIN | EPOLLET | EPOLLONESHOT);
        look(epoll);
        look(epoll);
        two.peer->close();
        look(epoll);
        note("close", os::close(two.fd));
        close_all(one, epoll);
    }

    void registrations()
    {
        subject("registrations");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_MOD, one.fd, edges);
        watch(epoll, EPOLL_CTL_DEL, one.fd, 0);
        watch(epoll, EPOLL_CTL_ADD, one.fd, EPOLLIN | EPOLLET);
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        watch(epoll, EPOLL_CTL_MOD, one.fd, edges);
        look(epoll);
        watch(epoll, EPOLL_CTL_MOD, one.fd, edges);
        look(epoll);
        one.peer->send("x");
        system_.settle();
        watch(epoll, EPOLL_CTL_DEL, one.fd, 0);
        look(epoll);
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        one.peer->send("y");
        system_.settle();
        const int closed = one.fd;
        note("close", os::close(one.fd));
        look(epoll);
        watch(epoll, EPOLL_CTL_ADD, closed, edges);
        note("read", os::read(closed, nullptr, 0));
        note("close again", os::close(closed));
        one.peer->close();
        note("close", os::close(epoll));
    }

    void half_closed()
    {
        subject("the peer ends its direction");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        one.peer->send("last words");
        one.peer->half_close();
        look(epoll);
        look(epoll);
        read(one.fd, 4);
        read(one.fd, 100);
        read(one.fd, 100);
        read(one.fd, 100);
        write(one.fd, "still here");
        look(epoll);
        note("peer: " + one.peer->receive());
        shut(one.fd, SHUT_WR);
        look(epoll);
        note("peer: " + one.peer->receive());
        write(one.fd, "too late");
        look(epoll);
        close_all(one, epoll);
    }

    void own_shutdown()
    {
        subject("the program ends its direction first");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        write(one.fd, "bye");
        shut(one.fd, SHUT_WR);
        look(epoll);
        note("peer: " + one.peer->receive());
        write(one.fd, "too late");
        one.peer->send("answer");
        look(epoll);
        read(one.fd, 100);
        one.peer->close();
        look(epoll);
        read(one.fd, 100);
        close_all(one, epoll);
    }

    void shutdown_of_reading()
    {
        subject("the program shuts its reading");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        shut(one.fd, SHUT_RD);
        look(epoll);
        read(one.fd, 100);
        write(one.fd, "x");
        note("peer: " + one.peer->receive());
        close_all(one, epoll);
    }

    void reset()
    {
        subject("a reset");
        auto one = open_connection();
        auto two = open_connection();
        auto three = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        for (const auto* each : {&one, &two, &three})
            each->peer->reset();
        look(epoll);
        look(epoll);
        read(one.fd, 100);
        read(one.fd, 100);
        write(one.fd, "x");
        error_of(one.fd);
        shut(one.fd, SHUT_WR);
        write(two.fd, "x");
        write(two.fd, "x");
        read(two.fd, 100);
        error_of(three.fd);
        read(three.fd, 100);
        write(three.fd, "x");
        look(epoll);
        note("close", os::close(two.fd));
        note("close", os::close(three.fd));
        close_all(one, epoll);
    }

    void reset_with_data()
    {
        subject("a reset after data that was not read, and after an end");
        auto one = open_connection();
        auto two = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        one.peer->send("abc");
        system_.settle();
        one.peer->reset();
        look(epoll);
        read(one.fd, 2);
        read(one.fd, 2);
        read(one.fd, 2);
        read(one.fd, 2);
        two.peer->half_close();
        system_.settle();
        two.peer->reset();
        system_.settle();
        read(two.fd, 2);
        write(two.fd, "x");
        write(two.fd, "x");
        note("close", os::close(two.fd));
        close_all(one, epoll);
    }

    void closed_with_unread_data()
    {
        subject("the peer closes without having read");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        write(one.fd, "never read");
        system_.settle();
        one.peer->close();
        look(epoll);
        read(one.fd, 100);
        read(one.fd, 100);
        close_all(one, epoll);
    }

    void closing_with_unread_data()
    {
        subject("the program closes without having read");
        auto one = open_connection();
        one.peer->send("never read");
        system_.settle();
        note("close", os::close(one.fd));
        system_.settle();
        note("peer: " + one.peer->receive());
        auto two = open_connection();
        write(two.fd, "all of it");
        note("close", os::close(two.fd));
        system_.settle();
        note("peer: " + two.peer->receive());
        one.peer->close();
        two.peer->close();
    }

    void writing_to_a_closed_peer()
    {
        subject("writing to a peer that has closed");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        one.peer->close();
        look(epoll);
        write(one.fd, "x");
        look(epoll);
        write(one.fd, "x");
        write(one.fd, "x");
        read(one.fd, 100);
        close_all(one, epoll);
    }

    /// Write until there is no room.
    void fill(int fd)
    {
        const std::string block(16'384, 'x');
        ssize_t count = 0;
        while (count >= 0) {
            count = os::write(fd, block.data(), block.size());
            if (count == -EAGAIN)
                system_.settle(), count = os::write(fd, block.data(), block.size());
        }
        note("filled", count);
    }

    void no_room()
    {
        subject("no room");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        fill(one.fd);
        look(epoll);
        one.peer->send("x");
        look(epoll);
        const auto drained = one.peer->receive();
        note(drained.size() > 16'384 ? "peer: a lot" : "peer: little");
        look(epoll);
        look(epoll);
        write(one.fd, "y");
        one.peer->receive();
        look(epoll);
        close_all(one, epoll);
    }

    void big_writes()
    {
        subject("a write larger than the room is short");
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        look(epoll);
        const std::string much(64u << 20, 'x');
        const ssize_t count = os::write(one.fd, much.data(), much.size());
        note(count > 0 && count < ssize_t{64 << 20} ? "short" : "not short");
        std::size_t received = 0;
        for (int n = 0; n < 1000 && received < static_cast<std::size_t>(count); ++n) {
            received += one.peer->receive().size();
            system_.settle();
        }
        note(received == static_cast<std::size_t>(count) ? "all of it came" : "some was lost");
        look(epoll);
        close_all(one, epoll);
    }

    void pipes()
    {
        subject("pipes");
        int fds[2] = {-1, -1};
        note("pipe", os::pipe(fds));
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLET);
        watch(epoll, EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET);
        look(epoll);
        read(fds[0], 10);
        write(fds[1], "abc");
        look(epoll);
        read(fds[0], 10);
        note("write to the reading end", os::write(fds[0], "x", 1));
        note("read from the writing end", os::read(fds[1], &fds, 1));
        write(fds[1], "last");
        note("close", os::close(fds[1]));
        look(epoll);
        read(fds[0], 10);
        read(fds[0], 10);
        note("close", os::close(fds[0]));
        note("pipe", os::pipe(fds));
        watch(epoll, EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET);
        look(epoll);
        note("close", os::close(fds[0]));
        look(epoll);
        write(fds[1], "x");
        note("close", os::close(fds[1]));
        note("close", os::close(epoll));
    }

    void poll_once(std::vector<pollfd> fds)
    {
        system_.settle();
        note("poll", os::poll(fds.data(), fds.size(), 0));
        for (const pollfd& one : fds)
            note("    " + text_of_bits(static_cast<std::uint16_t>(one.revents)));
    }

    void polling()
    {
        subject("poll");
        auto one = open_connection();
        auto two = open_connection();
        const auto all = [&](int gone) {
            const short wanted = POLLIN | POLLOUT | POLLRDHUP;
            poll_once(
                {{one.fd, wanted, 0}, {two.fd, POLLIN, 0}, {gone, POLLIN, 0}, {-1, POLLIN, 0}});
        };
        all(listener_);
        one.peer->send("x");
        all(listener_);
        two.peer->half_close();
        all(listener_);
        one.peer->reset();
        auto third = new_peer();
        all(listener_);
        note("close", os::close(os::accept(listener_)));
        note("close", os::close(one.fd));
        poll_once({{one.fd, POLLIN, 0}});
        note("close", os::close(two.fd));
    }

    void signals()
    {
        subject("signals");
        const int wanted[] = {SIGUSR1, SIGUSR2};
        const int fd = note_sign("signal_open", os::signal_open(wanted, 2));
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
        look(epoll);
        note("signal_read", os::signal_read(fd));
        note("kill", os::kill(os::pid(), SIGUSR2));
        note("kill", os::kill(os::pid(), SIGUSR2));
        note("kill", os::kill(os::pid(), SIGUSR1));
        look(epoll);
        note("signal_read", os::signal_read(fd));
        look(epoll);
        note("signal_read", os::signal_read(fd));
        note("signal_read", os::signal_read(fd));
        note("close", os::close(fd));
        note("close", os::close(epoll));
    }

    void connecting()
    {
        subject("connecting");
        const int listener = open_listener();
        const auto* const there = reinterpret_cast<const sockaddr*>(&address_);
        const int epoll = os::epoll_create();
        const int fd = os::socket(AF_INET, SOCK_STREAM, 0);
        note("connect", os::connect(fd, there, sizeof(sockaddr_in)));
        watch(epoll, EPOLL_CTL_ADD, fd, edges);
        look(epoll);
        error_of(fd);
        note("connect again", os::connect(fd, there, sizeof(sockaddr_in)));
        const int accepted = note_sign("accept", os::accept(listener));
        note("close", os::close(listener));
        write(fd, "hello");
        system_.settle();
        read(accepted, 100);
        note("close", os::close(accepted));
        look(epoll);
        read(fd, 100);
        note("close", os::close(fd));
        const int refused = os::socket(AF_INET, SOCK_STREAM, 0);
        note("connect, nobody there", os::connect(refused, there, sizeof(sockaddr_in)));
        system_.settle();
        watch(epoll, EPOLL_CTL_ADD, refused, edges);
        look(epoll);
        error_of(refused);
        note("close", os::close(refused));
        note("close", os::close(epoll));
    }

    void unconnected()
    {
        subject("a socket without a connection");
        const int fd = os::socket(AF_INET, SOCK_STREAM, 0);
        read(fd, 10);
        write(fd, "x");
        note("shutdown", os::shutdown(fd, SHUT_WR));
        note("accept", os::accept(fd));
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, fd, edges);
        look(epoll);
        note("close", os::close(fd));
        note("bind to an fd that is none", os::bind(fd, nullptr, 0));
        note("listen on an epoll", os::listen(epoll, 1));
        watch(epoll, EPOLL_CTL_ADD, epoll, edges);
        note("close", os::close(epoll));
    }

    void unix_sockets()
    {
        subject("unix sockets");
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::strncpy(name.sun_path, path_.c_str(), sizeof name.sun_path - 1);
        const auto* const address = reinterpret_cast<const sockaddr*>(&name);
        const int listener = os::socket(AF_UNIX, SOCK_STREAM, 0);
        note("is_socket", os::is_socket(path_.c_str()));
        note("bind", os::bind(listener, address, sizeof name));
        note("is_socket", os::is_socket(path_.c_str()));
        note("listen", os::listen(listener, 4));
        const int other = os::socket(AF_UNIX, SOCK_STREAM, 0);
        note("bind, taken", os::bind(other, address, sizeof name));
        note("close", os::close(other));
        const auto before = address_;
        std::memcpy(&address_, &name, sizeof name);
        const int epoll = os::epoll_create();
        unix_ends(listener, epoll);
        note("close", os::close(listener));
        const int late = os::socket(AF_UNIX, SOCK_STREAM, 0);
        note("connect, closed", os::connect(late, address, sizeof name));
        note("unlink", os::unlink(path_.c_str()));
        note("unlink", os::unlink(path_.c_str()));
        note("connect, unlinked", os::connect(late, address, sizeof name));
        note("close", os::close(late));
        note("close", os::close(epoll));
        address_ = before;
    }

    void unix_ends(int listener, int epoll)
    {
        auto peer = new_peer();
        const int fd = note_sign("accept", os::accept(listener));
        watch(epoll, EPOLL_CTL_ADD, fd, edges);
        look(epoll);
        peer->send("x");
        look(epoll);
        read(fd, 10);
        read(fd, 10);
        look(epoll);
        peer->close();
        look(epoll);
        read(fd, 10);
        write(fd, "x");
        note("close", os::close(fd));
        peer = new_peer();
        const int unread = note_sign("accept", os::accept(listener));
        write(unread, "never read");
        watch(epoll, EPOLL_CTL_ADD, unread, edges);
        look(epoll);
        peer->close();
        look(epoll);
        read(unread, 10);
        read(unread, 10);
        note("close", os::close(unread));
    }

    void timeouts()
    {
        subject("timeouts");
        const int epoll = os::epoll_create();
        std::array<epoll_event, 1> events{};
        for (const std::int64_t wait_ns : {0, 1, 1'500'000}) {
            const std::int64_t begin = os::now();
            note("wait", os::epoll_wait(epoll, events.data(), 1, wait_ns));
            note(os::now() - begin >= wait_ns ? "    in time" : "    too early");
        }
        const std::int64_t begin = os::now();
        note("poll", os::poll(nullptr, 0, 1'500'000));
        note("sleep", os::sleep_until(begin + 3'000'000));
        note(os::now() >= begin + 3'000'000 ? "    in time" : "    too early");
        note("sleep, past", os::sleep_until(begin));
        note("wait, no room", os::epoll_wait(epoll, events.data(), 0, 0));
        note("close", os::close(epoll));
    }

    void memory()
    {
        subject("memory");
        int error = -1;
        const std::size_t page = os::page_bytes();
        auto* const at = static_cast<char*>(os::map(4 * page, os::access::none, error));
        note("map", error);
        note("protect", os::protect(at, 2 * page, os::access::read_write));
        at[0] = at[page] = 'x';
        note("discard", os::discard(at, page));
        note(at[0] == '\0' && at[page] == 'x' ? "    zero, and kept" : "    wrong");
        note("set_apart", os::set_apart(at, page));
        note("unmap a part", os::unmap(at, page));
        note("unmap the rest", os::unmap(at + page, 3 * page));
        auto* const shared = static_cast<char*>(os::map_shared(page, error));
        note("map_shared", error);
        shared[0] = 'x';
        note("unmap", os::unmap(shared, page));
    }

    /// What nobody thought of: a connection, and anything in any order.
    void at_random(std::uint64_t seed)
    {
        subject(("at random, seed " + std::to_string(seed)).c_str());
        dice roll{seed};
        auto one = open_connection();
        const int epoll = os::epoll_create();
        watch(epoll, EPOLL_CTL_ADD, one.fd, edges);
        bool peer_is_there = true;
        bool peer_sends = true;
        for (int n = 0; n < 16; ++n) {
            switch (roll.below(peer_is_there ? 9 : 6)) {
            case 0:
                look(epoll);
                break;
            case 1:
                read(one.fd, 1 + roll.below(8));
                break;
            case 2:
                write(one.fd, "program ");
                system_.settle();
                break;
            case 3:
                if (roll.chance(0.2))
                    shut(one.fd, roll.chance(0.7) ? SHUT_WR : SHUT_RD);
                break;
            case 4:
                if (roll.chance(0.3))
                    watch(epoll, EPOLL_CTL_MOD, one.fd,
                          roll.chance(0.5) ? edges : edges | EPOLLONESHOT);
                break;
            case 5:
                if (roll.chance(0.1))
                    error_of(one.fd);
                break;
            case 6:
                if (peer_sends && (note("peer sends"), true))
                    one.peer->send("peer ");
                system_.settle();
                break;
            case 7:
                note("peer: " + one.peer->receive());
                system_.settle();
                break;
            default:
                peer_is_there = !end_peer(one, roll, peer_sends);
            }
        }
        close_all(one, epoll);
    }

    /// Let the peer end in one of its ways, now and then; whether it is gone.
    bool end_peer(connection& one, dice& roll, bool& sends)
    {
        const auto way = roll.below(6);
        if (way < 2) {
            note("peer ends its direction");
            one.peer->half_close();
            sends = false;
        } else if (way == 2) {
            note("peer closes");
            one.peer->close();
        } else if (way == 3) {
            note("peer resets");
            one.peer->reset();
        }
        system_.settle();
        return way == 2 || way == 3;
    }

    parity_system& system_;
    std::string path_;
    std::string record_;
    sockaddr_storage address_{};
    int listener_ = -1;
    sockaddr_storage listener_address_{};
};

} // namespace

std::string run_parity(parity_system& system, const std::string& path)
{
    return scenario{system, path}.run();
}

} // namespace vk::sim
