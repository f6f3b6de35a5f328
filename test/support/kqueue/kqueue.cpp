// A queue is an epoll instance in which an fd is once for its filters together.

#include <sys/event.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace {

constexpr unsigned read_bits = EPOLLIN | EPOLLRDHUP;
constexpr unsigned ended_bits = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

bool shows(int fd, short event) noexcept
{
    pollfd level{fd, event, 0};
    return ::poll(&level, 1, 0) > 0 && (level.revents & event) != 0;
}

// Which the end of a pipe that is written is not.
bool is_readable(int fd) noexcept
{
    return (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
}

// As FreeBSD refuses to watch for room in a pipe that nobody reads.
bool is_broken_pipe(int fd) noexcept
{
    struct stat found;
    return ::fstat(fd, &found) == 0 && S_ISFIFO(found.st_mode) && shows(fd, POLLERR);
}

// What is waited for, of one fd: what comes as edges, and room once.
int set(int queue, int operation, int fd, unsigned bits) noexcept
{
    epoll_event event{};
    event.data.fd = fd;
    event.events = EPOLLET | bits;
    return ::epoll_ctl(queue, operation, fd, &event) == 0 ? 0 : errno;
}

// Returns 0 or an errno.
int change(int queue, const struct kevent& wanted) noexcept
{
    int fd = static_cast<int>(wanted.ident);
    bool room = wanted.filter == EVFILT_WRITE;
    if (wanted.flags & EV_DELETE)
        return ::epoll_ctl(queue, EPOLL_CTL_DEL, fd, nullptr) == 0 || errno == ENOENT ? 0 : errno;
    if (!(wanted.flags & (room ? EV_ONESHOT : EV_CLEAR)))
        return ENOSYS; // not here
    if (room && is_broken_pipe(fd))
        return EPIPE;
    unsigned bits = read_bits | (room ? unsigned{EPOLLOUT} : 0u);
    int error = set(queue, EPOLL_CTL_ADD, fd, bits);
    return error == EEXIST ? set(queue, EPOLL_CTL_MOD, fd, bits) : error;
}

struct kevent found(const epoll_event& event, short filter) noexcept
{
    struct kevent made{};
    made.ident = static_cast<std::uintptr_t>(event.data.fd);
    made.filter = filter;
    if (event.events & ended_bits)
        made.flags |= EV_EOF;
    if (event.events & EPOLLERR)
        made.fflags = ECONNRESET;
    int bytes = 0;
    if (filter == EVFILT_READ && ::ioctl(event.data.fd, FIONREAD, &bytes) == 0)
        made.data = bytes;
    // Linux counts up to an urgent mark, others what is behind it too.
    if (filter == EVFILT_READ && shows(event.data.fd, POLLPRI))
        made.data += 1 << 20;
    return made;
}

} // namespace

extern "C" int kqueue()
{
    return ::epoll_create1(EPOLL_CLOEXEC);
}

extern "C" int kevent(int queue, const struct kevent* changes, int count, struct kevent* events,
                      int room, const timespec* timeout)
{
    int made = 0;
    for (int at = 0; at < count; ++at) {
        int error = change(queue, changes[at]);
        if (error && made == room) {
            errno = error;
            return -1;
        }
        if (error) {
            events[made] = changes[at];
            events[made].flags = EV_ERROR;
            events[made++].data = error;
        }
    }
    // An edge may be an event of both filters.
    std::array<epoll_event, 128> edges;
    int fit = std::min<int>((room - made) / 2, edges.size());
    if (fit == 0)
        return made;
    constexpr timespec now{};
    int edge_count = ::epoll_pwait2(queue, edges.data(), fit, made > 0 ? &now : timeout, nullptr);
    if (edge_count < 0)
        return made > 0 ? made : -1;
    for (int at = 0; at < edge_count; ++at) {
        const epoll_event& edge = edges[static_cast<std::size_t>(at)];
        if (edge.events & (read_bits | ended_bits) && is_readable(edge.data.fd))
            events[made++] = found(edge, EVFILT_READ);
        if (edge.events & EPOLLOUT) {
            events[made++] = found(edge, EVFILT_WRITE);
            (void)set(queue, EPOLL_CTL_MOD, edge.data.fd, read_bits);
        }
    }
    return made;
}
