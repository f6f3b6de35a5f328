#include "support/sim/call.hpp"

#include <array>
#include <cerrno>
#include <string_view>

namespace vk::sim {

namespace {

constexpr std::array<const char*, call_kinds> names{
    "sleep_until",  "map",          "map_shared",    "unmap",       "mask",         "unmask",
    "discard",      "huge_pages",   "set_apart",     "read",        "readv",        "write",
    "writev",       "close",        "nonblocking",   "unlink",      "is_socket",    "pipe",
    "socket",       "bind",         "listen",        "accept",      "connect",      "shutdown",
    "set_option",   "get_option",   "local_addr",    "peer_addr",   "epoll_create", "epoll_add",
    "epoll_modify", "epoll_remove", "epoll_wait",    "epoll_look",  "poll",         "signal_open",
    "signal_read",  "fork",         "kill",          "wait_child",  "aio_open",     "aio_submit",
    "aio_cancel",   "uring_open",   "uring_provide", "uring_enter", "uring_poll",   "uring_receive",
    "uring_send",
};

static_assert(names.back() != nullptr, "each kind of call has a name");

struct error_name {
    int error;
    std::string_view name;
};

constexpr error_name error_names[] = {
    {EACCES, "EACCES"},
    {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
    {EAGAIN, "EAGAIN"},
    {EALREADY, "EALREADY"},
    {EBADF, "EBADF"},
    {EBUSY, "EBUSY"},
    {ECHILD, "ECHILD"},
    {ECONNABORTED, "ECONNABORTED"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ECONNRESET, "ECONNRESET"},
    {EEXIST, "EEXIST"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {EINPROGRESS, "EINPROGRESS"},
    {EINTR, "EINTR"},
    {EINVAL, "EINVAL"},
    {EIO, "EIO"},
    {EISCONN, "EISCONN"},
    {EMFILE, "EMFILE"},
    {ENETUNREACH, "ENETUNREACH"},
    {ENFILE, "ENFILE"},
    {ENOBUFS, "ENOBUFS"},
    {ENODEV, "ENODEV"},
    {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"},
    {ENOPROTOOPT, "ENOPROTOOPT"},
    {ENOSPC, "ENOSPC"},
    {ENOSYS, "ENOSYS"},
    {ENOTCONN, "ENOTCONN"},
    {ENOTSOCK, "ENOTSOCK"},
    {EPERM, "EPERM"},
    {EPIPE, "EPIPE"},
    {EPROTO, "EPROTO"},
    {EROFS, "EROFS"},
    {ESRCH, "ESRCH"},
    {ETIMEDOUT, "ETIMEDOUT"},
};

constexpr int interrupted[] = {EINTR};
constexpr int no_memory[] = {ENOMEM};
constexpr int terminal_errors[] = {EINTR, EIO};

constexpr int socket_read[] = {EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, EIO, ENOMEM, ENOBUFS};
constexpr int ended_socket_read[] = {EINTR, ENOMEM};
constexpr int pipe_read[] = {EAGAIN, EINTR, EIO};

constexpr int socket_write[] = {EAGAIN, EINTR, EPIPE, ECONNRESET, ETIMEDOUT, EIO, ENOMEM, ENOBUFS};
constexpr int ended_socket_write[] = {EINTR, EPIPE, ENOMEM};
constexpr int pipe_write[] = {EAGAIN, EINTR, EPIPE, EIO};
constexpr int ended_pipe_write[] = {EINTR, EPIPE};

constexpr int close_errors[] = {EINTR, EIO};
constexpr int unlink_errors[] = {EACCES, EBUSY, EIO, ENOENT, ENOMEM, EPERM, EROFS};
constexpr int lookup_errors[] = {EACCES, ENOENT, ENOMEM};
constexpr int new_fd[] = {EMFILE, ENFILE, ENOMEM};
constexpr int pipe_errors[] = {EMFILE, ENFILE};
constexpr int socket_errors[] = {EACCES, EAFNOSUPPORT, EMFILE, ENFILE, ENOBUFS, ENOMEM};
constexpr int bind_errors[] = {EACCES, EADDRINUSE, EADDRNOTAVAIL, ENOMEM};
constexpr int listen_errors[] = {EADDRINUSE};
constexpr int accept_errors[] = {EAGAIN,  ECONNABORTED, EINTR, EMFILE, ENFILE,
                                 ENOBUFS, ENOMEM,       EPERM, EPROTO, EHOSTUNREACH};
constexpr int connect_errors[] = {EADDRNOTAVAIL, EAGAIN,      ECONNREFUSED,
                                  EINTR,         ENETUNREACH, ETIMEDOUT};
constexpr int shutdown_errors[] = {ENOBUFS, ENOTCONN};
constexpr int set_option_errors[] = {ENOBUFS, ENOMEM, ENOPROTOOPT};
constexpr int get_option_errors[] = {ENOBUFS, ENOPROTOOPT};
constexpr int local_address_errors[] = {ENOBUFS};
constexpr int peer_address_errors[] = {ENOBUFS, ENOTCONN};
constexpr int epoll_add_errors[] = {ENOMEM, ENOSPC};
constexpr int poll_errors[] = {EINTR, ENOMEM};
constexpr int signal_open_errors[] = {EMFILE, ENFILE, ENODEV, ENOMEM};
constexpr int signal_read_errors[] = {EAGAIN, EINTR};
constexpr int fork_errors[] = {EAGAIN, ENOMEM};
constexpr int kill_errors[] = {EPERM, ESRCH};
constexpr int wait_child_errors[] = {ECHILD, EINTR};
constexpr int aio_open_errors[] = {EAGAIN, ENOMEM, ENOSYS, EPERM};
constexpr int aio_submit_errors[] = {EAGAIN, ENOMEM};
constexpr int uring_open_errors[] = {EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM};
constexpr int uring_enter_errors[] = {EINTR, EAGAIN, EBUSY, ENOMEM};

std::span<const int> read_errors(target on) noexcept
{
    switch (on) {
    case target::socket:
        return socket_read;
    case target::ended_socket:
        return ended_socket_read;
    case target::pipe:
        return pipe_read;
    case target::terminal:
        return terminal_errors;
    default:
        return interrupted;
    }
}

std::span<const int> write_errors(target on) noexcept
{
    switch (on) {
    case target::socket:
        return socket_write;
    case target::ended_socket:
        return ended_socket_write;
    case target::pipe:
        return pipe_write;
    case target::ended_pipe:
        return ended_pipe_write;
    case target::terminal:
        return terminal_errors;
    default:
        return interrupted;
    }
}

} // namespace

const char* name_of(call what) noexcept
{
    return names[static_cast<std::size_t>(what)];
}

std::string name_of_error(int error)
{
    for (const auto& known : error_names)
        if (known.error == error)
            return std::string{known.name};
    return "errno " + std::to_string(error);
}

std::span<const int> errors_of(call what, target on) noexcept
{
    switch (what) {
    case call::sleep:
    case call::epoll_wait:
        return interrupted;
    case call::map:
    case call::map_shared:
    case call::unmap:
    case call::mask:
    case call::unmask:
    case call::discard:
    case call::huge_pages:
    case call::set_apart:
    case call::uring_provide:
    case call::uring_poll:
        return no_memory;
    case call::read:
    case call::readv:
    case call::uring_receive:
        return read_errors(on);
    case call::write:
    case call::writev:
    case call::uring_send:
        return write_errors(on);
    case call::close:
        return close_errors;
    case call::set_nonblocking:
        return {};
    case call::unlink:
        return unlink_errors;
    case call::is_socket:
        return lookup_errors;
    case call::pipe:
        return pipe_errors;
    case call::socket:
        return socket_errors;
    case call::bind:
        return bind_errors;
    case call::listen:
        return listen_errors;
    case call::accept:
        return accept_errors;
    case call::connect:
        return connect_errors;
    case call::shutdown:
        return shutdown_errors;
    case call::set_option:
        return set_option_errors;
    case call::get_option:
        return get_option_errors;
    case call::local_address:
        return local_address_errors;
    case call::peer_address:
        return peer_address_errors;
    case call::epoll_create:
        return new_fd;
    case call::epoll_add:
        return epoll_add_errors;
    case call::epoll_modify:
    case call::epoll_remove:
        return {}; // they allocate nothing
    case call::epoll_look:
        return {};
    case call::poll:
        return poll_errors;
    case call::signal_open:
        return signal_open_errors;
    case call::signal_read:
        return signal_read_errors;
    case call::fork:
        return fork_errors;
    case call::kill:
        return kill_errors;
    case call::wait_child:
        return wait_child_errors;
    case call::aio_open:
        return aio_open_errors;
    case call::aio_submit:
        return aio_submit_errors;
    case call::aio_cancel:
        return {};
    case call::uring_open:
        return uring_open_errors;
    case call::uring_enter:
        return uring_enter_errors;
    }
    return {};
}

bool is_transient(int error) noexcept
{
    return error == EAGAIN || error == EINTR;
}

} // namespace vk::sim
