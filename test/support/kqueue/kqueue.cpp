// A queue is an epoll instance in which an fd is once for its filters together.

#include <sys/event.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/epoll.h>
#include <sys/ioctl.h>

namespace {

constexpr unsigned read_bits = EPOLLIN | EPOLLRDHUP;
constexpr unsigned ended_bits = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

// Returns 0 or an errno.
int change(int queue, const struct kevent& wanted) noexcept
{
    int fd = static_cast<int>(wanted.ident);
    if (wanted.flags & EV_DELETE)
        return ::epoll_ctl(queue, EPOLL_CTL_DEL, fd, nullptr) == 0 || errno == ENOENT ? 0 : errno;
    epoll_event event{};
    event.data.fd = fd;
    unsigned edge = wanted.flags & EV_CLEAR ? EPOLLET : 0u;
    event.events = edge | (wanted.filter == EVFILT_READ ? read_bits : EPOLLOUT);
    if (::epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    event.events = edge | read_bits | EPOLLOUT;
    return ::epoll_ctl(queue, EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
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
        if (edge.events & (read_bits | ended_bits))
            events[made++] = found(edge, EVFILT_READ);
        if (edge.events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            events[made++] = found(edge, EVFILT_WRITE);
    }
    return made;
}
