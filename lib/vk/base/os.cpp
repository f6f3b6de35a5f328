#include "vk/base/os.hpp"

// The real operating system: one call of the C library for each function of os.hpp.
//
// Written for Linux. What only Linux has (epoll, signalfd, the parent's death signal) is kept together in
// the last section, so that another POSIX system needs nothing but its own poller; there these functions
// answer -ENOSYS.
//
// Each lets its calls through the gate, which may be closed (gate.hpp).

#include "vk/base/gate.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#endif

namespace vk::os {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

/// A table sized by the limit of open files must stay reasonable where that limit is none, or 2^30.
constexpr rlim_t open_files_cap = rlim_t{1} << 20;

/// What a C library call says with -1 and errno, said with one number.
template <class T>
inline T result(T returned) noexcept
{
    return returned < 0 ? static_cast<T>(-errno) : returned;
}

inline timespec to_timespec(std::int64_t ns) noexcept
{
    timespec at{};
    at.tv_sec = static_cast<time_t>(ns / second_ns);
    at.tv_nsec = static_cast<long>(ns % second_ns);
    return at;
}

inline int protection(access rights) noexcept
{
    return rights == access::none ? PROT_NONE : PROT_READ | PROT_WRITE;
}

void* map_anonymous(std::size_t bytes, int rights, int sharing, int& error) noexcept
{
    gate::pass through;
    void* const at = ::mmap(nullptr, bytes, rights, sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        error = errno;
        return nullptr;
    }
    error = 0;
    return at;
}

} // namespace

// --- time -------------------------------------------------------------------------------------------

// Served by the vDSO, without entering the kernel. It cannot fail for these clocks.
static std::int64_t read_clock(clockid_t clock) noexcept
{
    gate::pass through;
    timespec at;
    ::clock_gettime(clock, &at);
    return static_cast<std::int64_t>(at.tv_sec) * second_ns + at.tv_nsec;
}

std::int64_t now() noexcept
{
    return read_clock(CLOCK_MONOTONIC);
}

std::int64_t wall_clock() noexcept
{
    return read_clock(CLOCK_REALTIME);
}

int sleep_until(std::int64_t deadline) noexcept
{
    gate::pass through;
    const timespec at = to_timespec(std::max<std::int64_t>(deadline, 0));
    return -::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

// --- memory -----------------------------------------------------------------------------------------

void* map(std::size_t bytes, access rights, int& error) noexcept
{
    return map_anonymous(bytes, protection(rights), MAP_PRIVATE, error);
}

void* map_shared(std::size_t bytes, int& error) noexcept
{
    return map_anonymous(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, error);
}

int unmap(void* at, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::munmap(at, bytes));
}

int protect(void* at, std::size_t bytes, access rights) noexcept
{
    gate::pass through;
    return result(::mprotect(at, bytes, protection(rights)));
}

int discard(void* at, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::madvise(at, bytes, MADV_DONTNEED));
}

std::size_t page_bytes() noexcept
{
    gate::pass through;
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

// --- files ------------------------------------------------------------------------------------------

ssize_t read(int fd, void* data, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::read(fd, data, bytes));
}

ssize_t readv(int fd, const iovec* parts, int count) noexcept
{
    gate::pass through;
    return result(::readv(fd, parts, count));
}

ssize_t write(int fd, const void* data, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::write(fd, data, bytes));
}

ssize_t writev(int fd, const iovec* parts, int count) noexcept
{
    gate::pass through;
    return result(::writev(fd, parts, count));
}

int close(int fd) noexcept
{
    gate::pass through;
    return result(::close(fd));
}

int create(const char* path) noexcept
{
    gate::pass through;
    return result(::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
}

int open_directory(const char* path) noexcept
{
    gate::pass through;
    return result(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

int open_beneath(int directory, const char* path) noexcept
{
    gate::pass through;
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return static_cast<int>(result(::syscall(SYS_openat2, directory, path, &how, sizeof(how))));
}

int status_of(int fd, file_status& found) noexcept
{
    gate::pass through;
    struct stat status;
    int outcome = result(::fstat(fd, &status));
    if (outcome < 0)
        return outcome;
    found.kind = S_ISREG(status.st_mode)    ? file_kind::regular
                 : S_ISDIR(status.st_mode)  ? file_kind::directory
                 : S_ISFIFO(status.st_mode) ? file_kind::pipe
                                            : file_kind::other;
    found.bytes = static_cast<std::uint64_t>(status.st_size);
    found.modified_s = status.st_mtime;
    return 0;
}

ssize_t read_at(int fd, void* data, std::size_t bytes, std::uint64_t offset) noexcept
{
    gate::pass through;
    return result(::pread(fd, data, bytes, static_cast<off_t>(offset)));
}

ssize_t send_file(int to, int from, std::uint64_t offset, std::size_t bytes) noexcept
{
    gate::pass through;
    auto at = static_cast<off_t>(offset);
    return result(::sendfile(to, from, &at, bytes));
}

ssize_t send_file(int to, int from, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::sendfile(to, from, nullptr, bytes));
}

int set_nonblocking(int fd, bool on) noexcept
{
    gate::pass through;
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    const bool was_on = (flags & O_NONBLOCK) != 0;
    if (was_on != on && ::fcntl(fd, F_SETFL, flags ^ O_NONBLOCK) < 0)
        return -errno;
    return was_on ? 1 : 0;
}

int unlink(const char* path) noexcept
{
    gate::pass through;
    return result(::unlink(path));
}

int is_socket(const char* path) noexcept
{
    gate::pass through;
    struct stat found;
    int done = result(::lstat(path, &found));
    return done < 0 ? done : S_ISSOCK(found.st_mode);
}

std::size_t open_files_max() noexcept
{
    gate::pass through;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return _POSIX_OPEN_MAX;
    const rlim_t wanted = std::min(limit.rlim_max, open_files_cap);
    if (limit.rlim_cur < wanted) {
        const rlimit raised{.rlim_cur = wanted, .rlim_max = limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return static_cast<std::size_t>(std::min(limit.rlim_cur, open_files_cap));
}

int pipe(int fds[2]) noexcept
{
    gate::pass through;
    return result(::pipe2(fds, O_NONBLOCK | O_CLOEXEC));
}

// --- sockets ----------------------------------------------------------------------------------------

int socket(int domain, int type, int protocol) noexcept
{
    gate::pass through;
    return result(::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int bind(int fd, const sockaddr* address, socklen_t bytes) noexcept
{
    gate::pass through;
    return result(::bind(fd, address, bytes));
}

int listen(int fd, int backlog) noexcept
{
    gate::pass through;
    return result(::listen(fd, backlog));
}

int accept(int fd) noexcept
{
    gate::pass through;
    return result(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int connect(int fd, const sockaddr* address, socklen_t bytes) noexcept
{
    gate::pass through;
    return result(::connect(fd, address, bytes));
}

ssize_t receive(int fd, void* data, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::recv(fd, data, bytes, 0));
}

ssize_t send(int fd, const void* data, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::send(fd, data, bytes, MSG_NOSIGNAL));
}

int shutdown(int fd, int how) noexcept
{
    gate::pass through;
    return result(::shutdown(fd, how));
}

int unsent(int fd) noexcept
{
    gate::pass through;
    int bytes = 0;
    int done = result(::ioctl(fd, SIOCOUTQ, &bytes));
    return done < 0 ? done : bytes;
}

int set_option(int fd, int level, int name, int value) noexcept
{
    gate::pass through;
    return result(::setsockopt(fd, level, name, &value, sizeof value));
}

int get_option(int fd, int level, int name, int& value) noexcept
{
    gate::pass through;
    socklen_t bytes = sizeof value;
    return result(::getsockopt(fd, level, name, &value, &bytes));
}

int local_address(int fd, sockaddr_storage& address) noexcept
{
    gate::pass through;
    address = {};
    socklen_t bytes = sizeof address;
    return result(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes));
}

int peer_address(int fd, sockaddr_storage& address) noexcept
{
    gate::pass through;
    address = {};
    socklen_t bytes = sizeof address;
    return result(::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &bytes));
}

int poll(pollfd* fds, std::size_t count, std::int64_t timeout_ns) noexcept
{
    gate::pass through;
    const timespec timeout = to_timespec(std::max<std::int64_t>(timeout_ns, 0));
    const auto fds_count = static_cast<nfds_t>(count);
    return result(::ppoll(fds, fds_count, timeout_ns < 0 ? nullptr : &timeout, nullptr));
}

// --- signals and processes --------------------------------------------------------------------------

int ignore_sigpipe() noexcept
{
    gate::pass through;
    struct sigaction action{};
    action.sa_handler = SIG_IGN;
    return result(::sigaction(SIGPIPE, &action, nullptr));
}

int handle_signal(int signal, void (*handler)(int, siginfo_t*, void*),
                  struct sigaction& before) noexcept
{
    gate::pass through;
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    return result(::sigaction(signal, &action, &before));
}

int restore_signal(int signal, const struct sigaction& action) noexcept
{
    gate::pass through;
    return result(::sigaction(signal, &action, nullptr));
}

int signal_stack(const stack_t* wanted, stack_t* before) noexcept
{
    gate::pass through;
    return result(::sigaltstack(wanted, before));
}

int kill(int pid, int signal) noexcept
{
    gate::pass through;
    return result(::kill(pid, signal));
}

int wait_child(int pid, bool block, int& status) noexcept
{
    gate::pass through;
    return result(::waitpid(pid, &status, block ? 0 : WNOHANG));
}

void exit_now(int status) noexcept
{
    gate::open();
    ::_exit(status);
}

int pid() noexcept
{
    gate::pass through;
    return ::getpid();
}

// --- what only Linux has ----------------------------------------------------------------------------

#if defined(__linux__)

ssize_t splice(int to, int from, std::size_t bytes) noexcept
{
    gate::pass through;
    constexpr unsigned how = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    return result(::splice(from, nullptr, to, nullptr, bytes, how));
}

int huge_pages(void* at, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::madvise(at, bytes, MADV_HUGEPAGE));
}

int set_apart(void* at, std::size_t bytes) noexcept
{
    gate::pass through;
    return result(::madvise(at, bytes, MADV_DONTDUMP));
}

std::size_t map_count_max() noexcept
{
    gate::pass through;
    unsigned long count = 65'530; // the kernel's own default
    if (std::FILE* const file = std::fopen("/proc/sys/vm/max_map_count", "re")) {
        unsigned long read_count = 0;
        if (std::fscanf(file, "%lu", &read_count) == 1 && read_count > 0)
            count = read_count;
        std::fclose(file);
    }
    return count;
}

int epoll_create() noexcept
{
    gate::pass through;
    return result(::epoll_create1(EPOLL_CLOEXEC));
}

int epoll_control(int epoll, int operation, int fd, epoll_event* event) noexcept
{
    gate::pass through;
    return result(::epoll_ctl(epoll, operation, fd, event));
}

namespace {

/// Whether this kernel lacks epoll_pwait2 (before 5.11, or filtered away), learnt from the first wait.
std::atomic<bool> lacks_epoll_pwait2{false};

/// The kernel's own timespec of that call: 64 bits on every machine. Called by number, for C libraries
/// that have no name for it.
struct wide_timespec {
    std::int64_t seconds;
    std::int64_t nanoseconds;
};

int wait_nanoseconds(int epoll, epoll_event* events, int count, std::int64_t timeout_ns) noexcept
{
    gate::pass through;
#if defined(SYS_epoll_pwait2)
    const wide_timespec timeout{timeout_ns / second_ns, timeout_ns % second_ns};
    return static_cast<int>(result(::syscall(SYS_epoll_pwait2, epoll, events, count,
                                             timeout_ns < 0 ? nullptr : &timeout, nullptr, 0L)));
#else
    static_cast<void>(epoll), static_cast<void>(events), static_cast<void>(count);
    static_cast<void>(timeout_ns);
    return -ENOSYS;
#endif
}

/// Rounded up: a timer that is waited for must be due when the wait ends.
int wait_milliseconds(int epoll, epoll_event* events, int count, std::int64_t timeout_ns) noexcept
{
    gate::pass through;
    constexpr std::int64_t millisecond_ns = 1'000'000;
    constexpr std::int64_t longest_ms = 0x7fff'ffff;
    int timeout_ms = -1;
    if (timeout_ns >= 0) {
        const std::int64_t up = timeout_ns / millisecond_ns + (timeout_ns % millisecond_ns != 0);
        timeout_ms = static_cast<int>(std::min(up, longest_ms));
    }
    return result(::epoll_pwait(epoll, events, count, timeout_ms, nullptr));
}

} // namespace

int epoll_wait(int epoll, epoll_event* events, int count, std::int64_t timeout_ns) noexcept
{
    if (!lacks_epoll_pwait2.load(std::memory_order_relaxed)) [[likely]] {
        const int ready = wait_nanoseconds(epoll, events, count, timeout_ns);
        if (ready != -ENOSYS) [[likely]]
            return ready;
        lacks_epoll_pwait2.store(true, std::memory_order_relaxed);
    }
    return wait_milliseconds(epoll, events, count, timeout_ns);
}

int signal_open(const int* signals, int count) noexcept
{
    gate::pass through;
    sigset_t wanted;
    sigset_t before;
    ::sigemptyset(&wanted);
    for (int i = 0; i < count; ++i)
        if (::sigaddset(&wanted, signals[i]) < 0)
            return -errno;
    if (const int error = ::pthread_sigmask(SIG_BLOCK, &wanted, &before); error != 0)
        return -error;
    const int fd = result(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
    if (fd < 0)
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return fd;
}

int signal_read(int fd) noexcept
{
    gate::pass through;
    signalfd_siginfo report;
    const ssize_t bytes = result(::read(fd, &report, sizeof report));
    return bytes < 0 ? static_cast<int>(bytes) : static_cast<int>(report.ssi_signo);
}

int fork() noexcept
{
    gate::pass through;
    const pid_t parent = ::getpid();
    const pid_t child = result(::fork());
    if (child != 0)
        return child;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    // A parent that ended before the request was made sends nothing: send it in its place. A parent in an
    // outer pid namespace is seen as 0, and is alive.
    const pid_t parent_now = ::getppid();
    if (parent_now != parent && parent_now != 0)
        ::kill(::getpid(), SIGTERM);
    return 0;
}

#else

ssize_t splice(int, int, std::size_t) noexcept
{
    return -ENOSYS;
}
int huge_pages(void*, std::size_t) noexcept
{
    return -ENOSYS;
}
int set_apart(void*, std::size_t) noexcept
{
    return -ENOSYS;
}
std::size_t map_count_max() noexcept
{
    return 65'530;
}
int epoll_create() noexcept
{
    return -ENOSYS;
}
int epoll_control(int, int, int, epoll_event*) noexcept
{
    return -ENOSYS;
}
int epoll_wait(int, epoll_event*, int, std::int64_t) noexcept
{
    return -ENOSYS;
}
int signal_open(const int*, int) noexcept
{
    return -ENOSYS;
}
int signal_read(int) noexcept
{
    return -ENOSYS;
}
int fork() noexcept
{
    gate::pass through;
    return result(::fork());
}

#endif

} // namespace vk::os
