#include "support/sim/world.hpp"

// The calls of a world that concern sockets.

#include <algorithm>
#include <cstring>
#include <utility>

#include "support/sim/address.hpp"

namespace vk::sim {

// --- addresses --------------------------------------------------------------------------------------

std::shared_ptr<socket> world::find_listener(const std::string& address) const
{
    for (const auto& one : fds_) {
        const auto listener = std::dynamic_pointer_cast<socket>(one);
        if (!listener || listener->at() != socket::state::listening)
            continue;
        if (address.empty() || serves(listener->bound, address))
            return listener;
    }
    return nullptr;
}

bool world::knew_listener(const std::string& address) const
{
    return std::any_of(ever_listened_.begin(), ever_listened_.end(), [&](const std::string& bound) {
        return address.empty() || serves(bound, address);
    });
}

bool world::is_taken(const socket& one, const std::string& name) const
{
    if (paths_.contains(name))
        return true;
    const std::pair reuse{SOL_SOCKET, SO_REUSEPORT};
    const auto shares = [&](const socket& owner) {
        const auto found = owner.options.find(reuse);
        return found != owner.options.end() && found->second != 0;
    };
    return std::any_of(fds_.begin(), fds_.end(), [&](const std::shared_ptr<file>& open) {
        const auto* const other = dynamic_cast<const socket*>(open.get());
        return other && other != &one && other->bound == name && !(shares(one) && shares(*other));
    });
}

std::int64_t world::bind_to(socket& one, const sockaddr* address, socklen_t bytes)
{
    if (!one.bound.empty() || bytes > sizeof(sockaddr_storage))
        return -EINVAL;
    if (address->sa_family != one.family())
        return one.family() == AF_UNIX ? -EINVAL : -EAFNOSUPPORT;
    sockaddr_storage own{};
    std::memcpy(&own, address, bytes);
    if (one.family() != AF_UNIX && port_of(own) == 0)
        set_port(own, next_port_++);
    const std::string name = text_of(reinterpret_cast<const sockaddr*>(&own), bytes);
    if (is_taken(one, name))
        return -EADDRINUSE;
    if (name.starts_with("unix:") && !name.starts_with("unix:@"))
        paths_.insert(name);
    one.bound = name;
    one.address = own;
    return 0;
}

// --- calls ------------------------------------------------------------------------------------------

std::int64_t world::socket_open(int domain, int type)
{
    return perform(call::socket, -1, [&]() -> std::int64_t {
        if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
            return -EAFNOSUPPORT;
        if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
            return -EPROTONOSUPPORT;
        auto one = make_socket(domain, options_.socket_bytes);
        one->address.ss_family = static_cast<sa_family_t>(domain);
        return install(std::move(one));
    });
}

std::int64_t world::bind(int fd, const sockaddr* address, socklen_t bytes)
{
    return perform(call::bind, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        return one ? bind_to(*one, address, bytes) : -error;
    });
}

std::int64_t world::listen(int fd, int backlog)
{
    return perform(call::listen, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        if (one->at() != socket::state::fresh && one->at() != socket::state::listening)
            return -EINVAL;
        one->start_listening(backlog);
        ever_listened_.push_back(one->bound);
        for (const auto& then : std::exchange(on_listen_, {}))
            later(latency(), then);
        return 0;
    });
}

std::int64_t world::accept(int fd)
{
    return perform(call::accept, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        if (one->at() != socket::state::listening)
            return -EINVAL;
        // Linux asks for a descriptor first, even if nobody is waiting.
        if (free_fd() < 0)
            return -EMFILE;
        return one->has_pending() ? install(one->take_pending()) : -EAGAIN;
    });
}

std::int64_t world::connect(int fd, const sockaddr* address, socklen_t bytes)
{
    return perform(call::connect, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        switch (one->at()) {
        case socket::state::fresh:
            return connect_to(one, text_of(address, bytes));
        case socket::state::connecting:
            return -EALREADY;
        case socket::state::connected:
            return one->announce() ? 0 : -EISCONN;
        default:
            return -ECONNABORTED;
        }
    });
}

std::int64_t world::connect_to(const std::shared_ptr<socket>& one, const std::string& name)
{
    if (one->family() == AF_UNIX) {
        const auto listener = find_listener(name);
        if (listener && listener->backlog_full())
            return -EAGAIN;
        if (establish(one, name))
            return 0;
        return paths_.contains(name) ? -ECONNREFUSED : -ENOENT;
    }
    one->start_connecting();
    later(latency(), [this, weak = std::weak_ptr{one}, name] {
        const auto alive = weak.lock();
        if (alive && alive->at() == socket::state::connecting && !establish(alive, name))
            alive->refuse(ECONNREFUSED);
    });
    return -EINPROGRESS;
}

std::array<int, 2> world::connect_pair(int family)
{
    const auto one = make_socket(family, options_.socket_bytes);
    const auto other = make_socket(family, options_.socket_bytes);
    socket::join(one, other);
    const auto first = static_cast<int>(install(one));
    return {first, static_cast<int>(install(other))};
}

/// Join it with whoever is at that address: a client, or a listener of the program's own.
bool world::establish(const std::shared_ptr<socket>& one, const std::string& name)
{
    if (const auto remotes = remotes_.find(name);
        remotes != remotes_.end() && !remotes->second.empty()) {
        client& who = *remotes->second.front();
        remotes->second.pop_front();
        const auto theirs = make_socket(one->family(), who.window());
        socket::join(one, theirs);
        who.established(theirs, theirs);
    } else if (const auto listener = find_listener(name); listener && !listener->backlog_full()) {
        const auto theirs = make_socket(one->family(), options_.socket_bytes);
        theirs->address = listener->address;
        socket::join(one, theirs);
        listener->offer(theirs);
    } else {
        return false;
    }
    one->wake(EPOLLOUT);
    return true;
}

std::int64_t world::shutdown(int fd, int how)
{
    return perform(call::shutdown, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        return one ? one->shutdown(how) : -error;
    });
}

std::int64_t world::set_option(int fd, int level, int name, int value)
{
    return perform(call::set_option, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        one->options[{level, name}] = value;
        return 0;
    });
}

std::int64_t world::get_option(int fd, int level, int name, int& value)
{
    return perform(call::get_option, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        if (level == SOL_SOCKET && name == SO_ERROR)
            value = one->take_error();
        else if (level == SOL_SOCKET && name == SO_TYPE)
            value = SOCK_STREAM;
        else if (level == SOL_SOCKET && name == SO_DOMAIN)
            value = one->family();
        else if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
            value = one->at() == socket::state::listening;
        else
            value = one->options[{level, name}];
        return 0;
    });
}

std::int64_t world::local_address(int fd, sockaddr_storage& address)
{
    return perform(call::local_address, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        address = one->address;
        return 0;
    });
}

/// A peer is at the address of the listener that it has connected to, on a port of its own.
std::int64_t world::peer_address(int fd, sockaddr_storage& address)
{
    return perform(call::peer_address, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_socket(fd, error);
        if (!one)
            return -error;
        if (one->at() != socket::state::connected)
            return -ENOTCONN;
        if (one->family() == AF_UNIX) {
            address = {};
            address.ss_family = AF_UNIX;
            return 0;
        }
        address = one->address;
        set_port(address, 50'000);
        return 0;
    });
}

std::shared_ptr<socket> world::find_socket(int fd, int& error)
{
    const auto found = find_or_complain(fd);
    error = found ? ENOTSOCK : EBADF;
    return std::dynamic_pointer_cast<socket>(found);
}

} // namespace vk::sim
