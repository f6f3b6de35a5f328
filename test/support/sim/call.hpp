#pragma once

// call: a system call as the simulated system counts it, and the errors it may give.
//
// The table errors_of() is what "every error that call may give" means in a sweep. It holds what the
// manual pages name for a correct program on Linux: no EBADF, EFAULT or EINVAL, which say that the program
// is wrong, and nothing that the state of the file excludes (a socket whose hang-up was reported never
// says EAGAIN to a read).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace vk::sim {

enum class call : std::uint8_t {
    sleep,
    map,
    map_shared,
    unmap,
    mask,   // protect(), no access
    unmask, // protect(), access
    discard,
    huge_pages,
    set_apart,
    read,
    readv,
    write,
    writev,
    close,
    set_nonblocking,
    unlink,
    is_socket,
    pipe,
    socket,
    bind,
    listen,
    accept,
    connect,
    shutdown,
    set_option,
    get_option,
    local_address,
    peer_address,
    epoll_create,
    epoll_add,
    epoll_modify,
    epoll_remove,
    epoll_wait,
    epoll_look, // epoll_wait() that does not block, which Linux never interrupts
    poll,
    signal_open,
    signal_read,
    fork,
    kill,
    wait_child,
    aio_open,
    aio_submit,
    aio_cancel,
    uring_open,
    uring_provide,
    uring_enter,
    uring_poll, // operations of io_uring, which have errors of their own
    uring_receive,
    uring_send,
};

constexpr std::size_t call_kinds = static_cast<std::size_t>(call::uring_send) + 1;

/// What a call is made on, as far as its errors depend on it.
enum class target : std::uint8_t {
    none,
    terminal,
    pipe,
    ended_pipe, // its hang-up was reported
    socket,
    ended_socket, // its hang-up was reported, or it was reset
    other,
};

const char* name_of(call what) noexcept;

/// The short name of an errno: "ECONNRESET".
std::string name_of_error(int error);

std::span<const int> errors_of(call what, target on) noexcept;

/// An error after which the same call, repeated in its time, is expected to work: nobody may be harmed.
bool is_transient(int error) noexcept;

/// A system call that was made.
struct call_record {
    call what;
    bool injected; // the result was a fault, not what the system would have said
    int fd;        // -1 for a call without
    std::int64_t at_ns;
    std::int64_t result;
    std::span<const int> errors; // those it could have given, where it was made
};

} // namespace vk::sim
