#pragma once

// os: every system call the library makes, and nothing else.
//
// The seam at which a test links a simulated operating system in place of os.cpp. A function here is a
// thin name for one call: no policy, no retry, no log. Results follow the kernel's own convention: zero
// or more on success, -errno on failure; errno itself is neither read nor written by callers.
//
// Ownership: a returned file descriptor belongs to the caller, who gives it back with close(). Every fd is
// opened close-on-exec; sockets and accepted connections are non-blocking.

#include <csignal>
#include <cstddef>
#include <cstdint>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct epoll_event;
struct pollfd;

namespace vk::os {

// --- time -------------------------------------------------------------------------------------------

/// Monotonic time in nanoseconds (clock_gettime(2), CLOCK_MONOTONIC).
std::int64_t now() noexcept;

/// Time of day: nanoseconds since 1970, UTC (CLOCK_REALTIME).
std::int64_t wall_clock() noexcept;

/// Sleep until the monotonic time `deadline`, in nanoseconds (clock_nanosleep(2)). -EINTR when a signal came.
int sleep_until(std::int64_t deadline) noexcept;

// --- memory -----------------------------------------------------------------------------------------

enum class access : std::uint8_t { none, read_write };

/// A private anonymous mapping of `bytes`, a multiple of the page size, its memory not reserved
/// (mmap(2), MAP_NORESERVE). Null on failure, with the errno in `error`.
void* map(std::size_t bytes, access rights, int& error) noexcept;

/// As map(), shared with children made by fork().
void* map_shared(std::size_t bytes, int& error) noexcept;

int unmap(void* at, std::size_t bytes) noexcept;
int protect(void* at, std::size_t bytes, access rights) noexcept;

/// Give physical pages back; they read as zero afterwards (madvise(2), MADV_DONTNEED).
int discard(void* at, std::size_t bytes) noexcept;

/// Ask for huge pages (MADV_HUGEPAGE).
int huge_pages(void* at, std::size_t bytes) noexcept;

/// Set apart from its neighbours (MADV_DONTDUMP), so that the kernel does not merge the two mappings.
int set_apart(void* at, std::size_t bytes) noexcept;

std::size_t page_bytes() noexcept;

/// How many mappings an OS process may have (vm.max_map_count).
std::size_t map_count_max() noexcept;

// --- files ------------------------------------------------------------------------------------------

ssize_t read(int fd, void* data, std::size_t bytes) noexcept;
ssize_t readv(int fd, const iovec* parts, int count) noexcept;
ssize_t write(int fd, const void* data, std::size_t bytes) noexcept;
ssize_t writev(int fd, const iovec* parts, int count) noexcept;
int close(int fd) noexcept;

/// Make the file `path`, or empty it, for writing (open(2), O_CREAT | O_TRUNC, mode 0666).
int create(const char* path) noexcept;

/// Open the directory `path` for open_beneath() (O_PATH).
int open_directory(const char* path) noexcept;

/// Open the file `path` for reading. -EXDEV when `path` leads out of `directory`, be it by a symbolic link
/// (openat2(2), RESOLVE_BENEATH). A fifo or a device does not block the opener.
int open_beneath(int directory, const char* path) noexcept;

enum class file_kind : std::uint8_t { regular, directory, pipe, other };
struct file_status {
    file_kind kind;
    std::uint64_t bytes;
    std::int64_t modified_s; // seconds since 1970
};
int status_of(int fd, file_status& found) noexcept;

/// As read(), of the bytes from `offset` on (pread(2)).
ssize_t read_at(int fd, void* data, std::size_t bytes, std::uint64_t offset) noexcept;

/// Send `bytes` bytes of the file `from`, from `offset` on, to the socket `to` (sendfile(2)).
ssize_t send_file(int to, int from, std::uint64_t offset, std::size_t bytes) noexcept;

/// As that, from the file's own position on, which moves.
ssize_t send_file(int to, int from, std::size_t bytes) noexcept;

/// Move up to `bytes` bytes within the system from `from` to `to`, of which one is a pipe, without waiting for a pipe:
/// for others that is up to the fd (splice(2)). 0 is the end of `from`.
ssize_t splice(int to, int from, std::size_t bytes) noexcept;

/// Switch O_NONBLOCK; returns whether it was on before (0 or 1).
int set_nonblocking(int fd, bool on) noexcept;

/// Remove a file (unlink(2)); for the path of a unix socket.
int unlink(const char* path) noexcept;

/// Whether `path` names a socket: 1, 0, or -errno (lstat(2)).
int is_socket(const char* path) noexcept;

/// The soft limit of open files, raised to the hard limit first (RLIMIT_NOFILE).
std::size_t open_files_max() noexcept;

/// Two ends of a pipe, both non-blocking: fds[0] reads, fds[1] writes.
int pipe(int fds[2]) noexcept;

// --- sockets ----------------------------------------------------------------------------------------

int socket(int domain, int type, int protocol) noexcept;
int bind(int fd, const sockaddr* address, socklen_t bytes) noexcept;
int listen(int fd, int backlog) noexcept;
int accept(int fd) noexcept;
int connect(int fd, const sockaddr* address, socklen_t bytes) noexcept;
int shutdown(int fd, int how) noexcept;

/// As read() and write(), on a socket: recv(2) and send(2) take a shorter way through the system. A send to a
/// closed connection is an error value, never SIGPIPE.
ssize_t receive(int fd, void* data, std::size_t bytes) noexcept;
ssize_t send(int fd, const void* data, std::size_t bytes) noexcept;

/// Bytes that were written and that the other side has not acknowledged, or -errno (SIOCOUTQ, tcp(7)).
int unsent(int fd) noexcept;
int set_option(int fd, int level, int name, int value) noexcept;
int get_option(int fd, int level, int name, int& value) noexcept;
int local_address(int fd, sockaddr_storage& address) noexcept;
int peer_address(int fd, sockaddr_storage& address) noexcept;

// --- readiness --------------------------------------------------------------------------------------

int epoll_create() noexcept;
int epoll_control(int epoll, int operation, int fd, epoll_event* event) noexcept;

/// `timeout_ns` < 0 waits without end (epoll_pwait2(2); where the kernel lacks it, rounded up to milliseconds).
int epoll_wait(int epoll, epoll_event* events, int count, std::int64_t timeout_ns) noexcept;
int poll(pollfd* fds, std::size_t count, std::int64_t timeout_ns) noexcept;

// --- signals and processes --------------------------------------------------------------------------

/// Block the `count` signals and return a non-blocking fd that reports them (signalfd(2)).
int signal_open(const int* signals, int count) noexcept;

/// The next signal reported by `fd`, or -EAGAIN.
int signal_read(int fd) noexcept;

/// Ignore SIGPIPE in this OS process, so that a write to a closed pipe is an error value.
int ignore_sigpipe() noexcept;

/// Have `handler` called when `signal` comes, on the signal stack if there is one, and also while it runs already
/// (sigaction(2): SA_SIGINFO, SA_ONSTACK, SA_NODEFER). `before` gets what was there.
int handle_signal(int signal, void (*handler)(int, siginfo_t*, void*),
                  struct sigaction& before) noexcept;

/// Have `signal` do what `action` says, as it was got from handle_signal().
int restore_signal(int signal, const struct sigaction& action) noexcept;

/// Set the stack on which this thread handles signals, and get the one before, each unless it is null
/// (sigaltstack(2)).
int signal_stack(const stack_t* wanted, stack_t* before) noexcept;

/// fork(2). The child is sent SIGTERM when its parent ends (PR_SET_PDEATHSIG).
int fork() noexcept;
int kill(int pid, int signal) noexcept;

/// waitpid(2): the child's pid, 0 when `block` is off and none has changed, or -errno.
int wait_child(int pid, bool block, int& status) noexcept;

/// End this OS process without running destructors (_exit(2)).
[[noreturn]] void exit_now(int status) noexcept;

int pid() noexcept;

} // namespace vk::os
