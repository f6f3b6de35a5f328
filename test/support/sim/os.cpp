#include "vk/base/os.hpp"

// The simulated operating system: every function of os.hpp, answered by the current sim::world.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "support/sim/world.hpp"

namespace vk::os {

using sim::call;
using sim::world;

namespace {

int to_int(std::int64_t result) noexcept
{
    return static_cast<int>(result);
}

iovec part_of(const void* data, std::size_t bytes) noexcept
{
    return {const_cast<void*>(data), bytes};
}

} // namespace

// --- time -------------------------------------------------------------------------------------------

std::int64_t now() noexcept
{
    return world::current().now();
}

std::int64_t wall_clock() noexcept
{
    constexpr std::int64_t start = 784'111'777'000'000'000; // the date of RFC 9110's examples
    return start + world::current().now();
}

int sleep_until(std::int64_t deadline) noexcept
{
    return to_int(world::current().sleep_until(deadline));
}

// --- memory -----------------------------------------------------------------------------------------

void* map(std::size_t bytes, access rights, int& error) noexcept
{
    return world::current().map(call::map, bytes, rights != access::none, error);
}

void* map_shared(std::size_t bytes, int& error) noexcept
{
    return world::current().map(call::map_shared, bytes, true, error);
}

int unmap(void* at, std::size_t bytes) noexcept
{
    return to_int(world::current().unmap(at, bytes));
}

int protect(void* at, std::size_t bytes, access rights) noexcept
{
    return to_int(world::current().protect(at, bytes, rights != access::none));
}

int discard(void* at, std::size_t bytes) noexcept
{
    return to_int(world::current().advise(call::discard, at, bytes));
}

int huge_pages(void* at, std::size_t bytes) noexcept
{
    return to_int(world::current().advise(call::huge_pages, at, bytes));
}

int set_apart(void* at, std::size_t bytes) noexcept
{
    return to_int(world::current().advise(call::set_apart, at, bytes));
}

std::size_t page_bytes() noexcept
{
    // The mappings are real ones, and so are their pages.
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

std::size_t map_count_max() noexcept
{
    return world::current().map_count();
}

// --- files ------------------------------------------------------------------------------------------

ssize_t read(int fd, void* data, std::size_t bytes) noexcept
{
    const iovec part = part_of(data, bytes);
    return world::current().read(call::read, fd, &part, 1);
}

ssize_t readv(int fd, const iovec* parts, int count) noexcept
{
    return world::current().read(call::readv, fd, parts, count);
}

ssize_t write(int fd, const void* data, std::size_t bytes) noexcept
{
    const iovec part = part_of(data, bytes);
    return world::current().write(call::write, fd, &part, 1);
}

ssize_t writev(int fd, const iovec* parts, int count) noexcept
{
    return world::current().write(call::writev, fd, parts, count);
}

int close(int fd) noexcept
{
    return to_int(world::current().close(fd));
}

int set_nonblocking(int fd, bool on) noexcept
{
    return to_int(world::current().set_nonblocking(fd, on));
}

ssize_t receive(int fd, void* data, std::size_t bytes) noexcept
{
    return read(fd, data, bytes);
}

ssize_t send_file(int, int, std::uint64_t, std::size_t) noexcept
{
    return -EINVAL; // no file of the simulation can be mapped
}

ssize_t send_file(int, int, std::size_t) noexcept
{
    return -EINVAL;
}

// Which is asked of pipes alone, and what is a pipe is not told.
ssize_t splice(int, int, std::size_t) noexcept
{
    return -EINVAL;
}

int status_of(int, file_status& found) noexcept
{
    found = {file_kind::other, 0, 0};
    return 0;
}

ssize_t send(int fd, const void* data, std::size_t bytes) noexcept
{
    return write(fd, data, bytes);
}

// Every socket takes at once what it takes at all.
int unsent(int) noexcept
{
    return 0;
}

// There is no file system but the names of sockets.
int create(const char*) noexcept
{
    return -EROFS;
}

int unlink(const char* path) noexcept
{
    return to_int(world::current().unlink(path));
}

int is_socket(const char* path) noexcept
{
    return to_int(world::current().is_socket(path));
}

std::size_t open_files_max() noexcept
{
    return world::current().open_files();
}

int pipe(int fds[2]) noexcept
{
    return to_int(world::current().pipe(fds));
}

// --- sockets ----------------------------------------------------------------------------------------

int socket(int domain, int type, int) noexcept
{
    return to_int(world::current().socket_open(domain, type));
}

int bind(int fd, const sockaddr* address, socklen_t bytes) noexcept
{
    return to_int(world::current().bind(fd, address, bytes));
}

int listen(int fd, int backlog) noexcept
{
    return to_int(world::current().listen(fd, backlog));
}

int accept(int fd) noexcept
{
    return to_int(world::current().accept(fd));
}

int connect(int fd, const sockaddr* address, socklen_t bytes) noexcept
{
    return to_int(world::current().connect(fd, address, bytes));
}

int shutdown(int fd, int how) noexcept
{
    return to_int(world::current().shutdown(fd, how));
}

int set_option(int fd, int level, int name, int value) noexcept
{
    return to_int(world::current().set_option(fd, level, name, value));
}

int get_option(int fd, int level, int name, int& value) noexcept
{
    return to_int(world::current().get_option(fd, level, name, value));
}

int local_address(int fd, sockaddr_storage& address) noexcept
{
    return to_int(world::current().local_address(fd, address));
}

int peer_address(int fd, sockaddr_storage& address) noexcept
{
    return to_int(world::current().peer_address(fd, address));
}

// --- readiness --------------------------------------------------------------------------------------

int epoll_create() noexcept
{
    return to_int(world::current().epoll_create());
}

int epoll_control(int epoll, int operation, int fd, epoll_event* event) noexcept
{
    return to_int(world::current().epoll_control(epoll, operation, fd, event));
}

int epoll_wait(int epoll, epoll_event* events, int count, std::int64_t timeout_ns) noexcept
{
    return to_int(world::current().epoll_wait(epoll, events, count, timeout_ns));
}

int poll(pollfd* fds, std::size_t count, std::int64_t timeout_ns) noexcept
{
    return to_int(world::current().poll(fds, count, timeout_ns));
}

// --- signals and processes --------------------------------------------------------------------------

int signal_open(const int* signals, int count) noexcept
{
    return to_int(world::current().signal_open(signals, count));
}

int signal_read(int fd) noexcept
{
    return to_int(world::current().signal_read(fd));
}

int ignore_sigpipe() noexcept
{
    world::current().ignore_sigpipe();
    return 0;
}

// Faults are the machine's, and end the simulation.
int handle_signal(int, void (*)(int, siginfo_t*, void*), struct sigaction&) noexcept
{
    return 0;
}

int restore_signal(int, const struct sigaction&) noexcept
{
    return 0;
}

int signal_stack(const stack_t*, stack_t*) noexcept
{
    return 0;
}

int fork() noexcept
{
    return to_int(world::current().other(call::fork, -ENOSYS)); // one OS process is all there is
}

int kill(int to, int signal) noexcept
{
    return to_int(world::current().kill(to == pid(), signal));
}

int wait_child(int, bool, int& status) noexcept
{
    status = 0;
    return to_int(world::current().other(call::wait_child, -ECHILD));
}

void exit_now(int status) noexcept
{
    std::fprintf(stderr, "simulated system: exit_now(%d). The last calls were\n%s\n", status,
                 world::current().trace().c_str());
    std::abort();
}

int pid() noexcept
{
    return 4711;
}

} // namespace vk::os
