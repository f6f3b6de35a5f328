#include "support/sim/world.hpp"

// The calls of a world that concern descriptors: reading, writing, closing, waiting, signals.

#include <algorithm>
#include <utility>

#include <poll.h>

namespace vk::sim {

// --- descriptors ------------------------------------------------------------------------------------

std::shared_ptr<file> world::find(int fd) const noexcept
{
    const auto at = static_cast<std::size_t>(fd);
    return fd >= 0 && at < fds_.size() ? fds_[at] : nullptr;
}

std::shared_ptr<file> world::find_or_complain(int fd)
{
    auto found = find(fd);
    if (!found)
        complain("uses a descriptor that is not open");
    return found;
}

template <class File>
std::shared_ptr<File> world::find_as(int fd, int& error)
{
    const auto found = find_or_complain(fd);
    error = found ? EINVAL : EBADF;
    return std::dynamic_pointer_cast<File>(found);
}

/// The lowest descriptor that is free, or -EMFILE.
std::int64_t world::free_fd() const noexcept
{
    const auto at = std::find(fds_.begin(), fds_.end(), nullptr);
    const auto fd = static_cast<std::size_t>(at - fds_.begin());
    return fd < options_.open_files ? static_cast<std::int64_t>(fd) : -EMFILE;
}

std::int64_t world::install(std::shared_ptr<file> one)
{
    const std::int64_t fd = free_fd();
    if (fd < 0)
        return fd;
    const auto at = static_cast<std::size_t>(fd);
    if (at == fds_.size())
        fds_.emplace_back();
    fds_[at] = std::move(one);
    return fd;
}

std::int64_t world::drop(int fd)
{
    const auto closed = find_or_complain(fd);
    if (!closed)
        return -EBADF;
    fds_[static_cast<std::size_t>(fd)] = nullptr;
    if (std::find(fds_.begin(), fds_.end(), closed) != fds_.end())
        return 0; // the terminal has three of them
    for (const auto& other : fds_)
        if (auto* const one = dynamic_cast<epoll*>(other.get()))
            one->forget(fd);
    closed->abandon();
    return 0;
}

std::size_t world::open_fds() const noexcept
{
    const auto own = std::min<std::ptrdiff_t>(3, static_cast<std::ptrdiff_t>(fds_.size()));
    const auto closed = std::count(fds_.begin() + own, fds_.end(), nullptr);
    return fds_.size() - static_cast<std::size_t>(own + closed);
}

void world::set_standard(std::shared_ptr<file> input, std::shared_ptr<file> output)
{
    fds_[0] = std::move(input);
    fds_[1] = std::move(output);
}

std::int64_t world::close(int fd)
{
    return perform(call::close, fd, [&] { return drop(fd); });
}

std::int64_t world::set_nonblocking(int fd, bool on)
{
    return perform(call::set_nonblocking, fd, [&]() -> std::int64_t {
        const auto one = find_or_complain(fd);
        if (!one)
            return -EBADF;
        return std::exchange(one->blocking, !on) ? 0 : 1;
    });
}

std::int64_t world::unlink(const char* path)
{
    return perform(call::unlink, -1, [&]() -> std::int64_t {
        return paths_.erase("unix:" + std::string{path}) == 1 ? 0 : -ENOENT;
    });
}

std::int64_t world::is_socket(const char* path)
{
    return perform(call::is_socket, -1, [&]() -> std::int64_t {
        return paths_.contains("unix:" + std::string{path}) ? 1 : -ENOENT;
    });
}

std::int64_t world::pipe(int fds[2])
{
    return perform(call::pipe, -1, [&]() -> std::int64_t {
        auto [reader, writer] = pipe_end::make(options_.pipe_bytes);
        const std::int64_t first = install(std::move(reader));
        if (first < 0)
            return first;
        const std::int64_t second = install(std::move(writer));
        if (second < 0) {
            drop(static_cast<int>(first));
            return second;
        }
        fds[0] = static_cast<int>(first);
        fds[1] = static_cast<int>(second);
        return 0;
    });
}

// --- reading and writing ----------------------------------------------------------------------------

std::int64_t world::read(call what, int fd, const iovec* parts, int count)
{
    return perform(what, fd, [&] { return transfer(fd, parts, count, true); });
}

std::int64_t world::write(call what, int fd, const iovec* parts, int count)
{
    return perform(what, fd, [&] { return transfer(fd, parts, count, false); });
}

/// No more than this many of `bytes` in the call that is being made.
std::size_t world::limit_of(const file& on, std::size_t bytes, bool reads)
{
    // Once an end was reported, all that was sent has arrived: a read can no longer be short.
    if (reads && on.hang_up_reported())
        return bytes;
    if (const rule* const one = rule_for(calls_.back().what, true))
        return std::min(one->bytes, bytes);
    if (bytes > 1 && dice_.chance(options_.noise.short_io))
        return 1 + dice_.below(bytes - 1);
    return bytes;
}

std::int64_t world::transfer(int fd, const iovec* parts, int count, bool reads)
{
    const auto on = find_or_complain(fd);
    if (!on)
        return -EBADF;
    const std::int64_t result = transfer_on(on, parts, count, reads);
    if (result == -EPIPE)
        check_sigpipe();
    return result;
}

std::int64_t world::transfer_on(const std::shared_ptr<file>& on, const iovec* parts, int count,
                                bool reads)
{
    const std::size_t wanted = bytes_of(parts, count);
    const std::size_t limit = limit_of(*on, wanted, reads);

    std::vector<iovec> allowed;
    for (std::size_t left = limit; left > 0 && count > 0; ++parts, --count) {
        allowed.push_back({parts->iov_base, std::min(parts->iov_len, left)});
        left -= allowed.back().iov_len;
    }
    const auto attempt = [&]() -> std::int64_t {
        const auto part_count = static_cast<int>(allowed.size());
        return reads ? on->read(allowed.data(), part_count) : on->write(allowed.data(), part_count);
    };

    std::int64_t result = attempt();
    if (result == -EAGAIN && on->blocking) {
        wait(-1, [&] { return std::int64_t{on->readiness()}; });
        result = attempt();
    }
    if (result == static_cast<std::int64_t>(limit) && limit < wanted)
        stall(on, reads);
    return result;
}

void world::check_sigpipe()
{
    if (!sigpipe_ignored_)
        complain("is killed by SIGPIPE");
}

// --- readiness --------------------------------------------------------------------------------------

std::int64_t world::epoll_create()
{
    return perform(call::epoll_create, -1, [&] { return install(std::make_shared<epoll>()); });
}

std::int64_t world::epoll_control(int epoll_fd, int operation, int fd, epoll_event* event)
{
    const call what = operation == EPOLL_CTL_ADD   ? call::epoll_add
                      : operation == EPOLL_CTL_MOD ? call::epoll_modify
                                                   : call::epoll_remove;
    return perform(what, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto instance = find_as<epoll>(epoll_fd, error);
        if (!instance)
            return -error;
        const auto on = find_or_complain(fd);
        if (!on)
            return -EBADF;
        if (on == instance)
            return -EINVAL;
        if (what == call::epoll_add)
            return instance->add(fd, on, *event);
        const int result =
            what == call::epoll_modify ? instance->modify(fd, *event) : instance->remove(fd);
        if (result == -ENOENT)
            complain("changes a registration that does not exist");
        return result;
    });
}

std::int64_t world::epoll_wait(int epoll_fd, epoll_event* events, int count,
                               std::int64_t timeout_ns)
{
    const call what = timeout_ns == 0 ? call::epoll_look : call::epoll_wait;
    return perform(what, epoll_fd, [&]() -> std::int64_t {
        int error = 0;
        const auto instance = find_as<epoll>(epoll_fd, error);
        if (!instance)
            return -error;
        if (count <= 0)
            return -EINVAL;
        if (dice_.chance(options_.noise.stray_edge))
            instance->queue_any(dice_.next());
        return wait(timeout_ns, [&] { return std::int64_t{instance->collect(events, count)}; });
    });
}

std::int64_t world::count_ready(pollfd* fds, std::size_t count)
{
    std::int64_t ready = 0;
    for (pollfd* one = fds; one != fds + count; ++one) {
        one->revents = 0;
        if (one->fd < 0)
            continue;
        if (const auto on = find(one->fd)) {
            const auto wanted = static_cast<std::uint16_t>(one->events | POLLERR | POLLHUP);
            const std::uint32_t bits = on->readiness() & wanted;
            on->report(bits);
            one->revents = static_cast<short>(bits);
        } else {
            one->revents = POLLNVAL;
        }
        ready += one->revents != 0;
    }
    return ready;
}

std::int64_t world::poll(pollfd* fds, std::size_t count, std::int64_t timeout_ns)
{
    static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLHUP == EPOLLHUP &&
                  POLLERR == EPOLLERR && POLLRDHUP == EPOLLRDHUP);
    return perform(call::poll, -1,
                   [&] { return wait(timeout_ns, [&] { return count_ready(fds, count); }); });
}

// --- signals ----------------------------------------------------------------------------------------

/// A signalfd: readable while one of its signals is pending.
class world::signals final : public file {
public:
    signals(world& in, std::set<int> which) : world_{in}, which_{std::move(which)} {}

    std::uint32_t readiness() override { return !input_stalled() && next() != 0 ? EPOLLIN : 0u; }

    /// The next one of them that is pending, or 0.
    int next() const
    {
        for (const int number : world_.signals_pending_)
            if (which_.contains(number))
                return number;
        return 0;
    }

    int take()
    {
        const int number = input_stalled() ? 0 : next();
        if (number == 0)
            return -EAGAIN;
        world_.signals_pending_.erase(number);
        return number;
    }

private:
    world& world_;
    std::set<int> which_;
};

std::int64_t world::signal_open(const int* numbers, int count)
{
    return perform(call::signal_open, -1, [&] {
        const std::set<int> which{numbers, numbers + count};
        const auto one = std::make_shared<signals>(*this, which);
        const std::int64_t fd = install(one);
        if (fd >= 0) {
            signals_blocked_.insert(which.begin(), which.end());
            signal_files_.push_back(one);
        }
        return fd;
    });
}

std::int64_t world::signal_read(int fd)
{
    return perform(call::signal_read, fd, [&]() -> std::int64_t {
        int error = 0;
        const auto one = find_as<signals>(fd, error);
        return one ? one->take() : -error;
    });
}

std::int64_t world::kill(bool itself, int number)
{
    return perform(call::kill, -1, [&]() -> std::int64_t {
        if (!itself)
            return -ESRCH;
        signal(number);
        return 0;
    });
}

void world::signal(int number)
{
    if (!signals_blocked_.contains(number))
        return complain("is killed by signal " + std::to_string(number));
    signals_pending_.insert(number);
    for (const auto& weak : signal_files_)
        if (const auto one = weak.lock())
            one->wake(EPOLLIN);
}

} // namespace vk::sim
