// kqueue: edge-triggered; an fd is registered once for what comes, and for room at each wait for it, in the call that waits.
//
// Closing the fd deregisters it. With an edge the system tells how many bytes there are, so that who has read them knows, on
// any kind of stream, that nothing is left. (Of a peer that is gone it tells the end, and the next read or write more.)

#include "vk/base/kqueue.hpp"
#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/kernel/poller/drivers.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace vk {
namespace {

// NetBSD and the others differ in the types of the members.
struct kevent change_of(int fd, int filter, int flags) noexcept
{
    struct kevent made{};
    made.ident = static_cast<decltype(made.ident)>(fd);
    made.filter = static_cast<decltype(made.filter)>(filter);
    made.flags = static_cast<decltype(made.flags)>(flags);
    return made;
}

class kqueue_poller final : public poller {
public:
    explicit kqueue_poller(const poller_parts& parts)
        : fds_(&parts.fds),
          run_(&parts.run),
          count_(&parts.count),
          known_(parts.fds.size(), ready::none, parts.memory)
    {
        if (int result = queue_.open(); result < 0)
            raise(-result, "kqueue");
    }

    std::string_view name() const noexcept override { return "kqueue"; }
    bool registers_once() const noexcept override { return true; }

    void submit(dirty_fds& dirty) noexcept override
    {
        dirty.clear_and_dispose([this](fd_record* one) { watch(*one); });
    }

    // What was refused is tried again with the wait after this one: a change that fails ends the wait it is made with.
    void wait(nanoseconds timeout) noexcept override
    {
        dirty_fds again;
        again.swap(refused_);
        if (!again.empty()) [[unlikely]]
            timeout = until_tried_again(timeout);
        exchange(timeout);
        submit(again);
    }

    // close(2) takes a connection out of the queue; what others may have open is taken out here. A change that waits to
    // be made is of an fd that is gone, then, or says early what will be said of that which bears its number next.
    void forget(fd_record& closing) noexcept override
    {
        ready was = std::exchange(known(closing), ready::none);
        bool shared = closing.lent || closing.kind == fd_kind::other;
        for (const filter& of : filters)
            if (shared && any(was & of.what)) {
                struct kevent change = change_of(closing.fd, of.number, EV_DELETE);
                (void)queue_.exchange(&change, 1, nullptr, 0, 0);
            }
    }

private:
    // Of changes and events in a call.
    static constexpr int batch_max = limits::poll_events_max / 2;

    // Room shows at each acknowledgement: once is enough.
    struct filter {
        ready what;
        int number;
        int flags;
    };
    static constexpr filter filters[] = {{ready::in, EVFILT_READ, EV_ADD | EV_CLEAR},
                                         {ready::out, EVFILT_WRITE, EV_ADD | EV_ONESHOT}};

    static int fd_of(const struct kevent& one) noexcept { return static_cast<int>(one.ident); }
    ready& known(const fd_record& one) noexcept { return known_[static_cast<std::size_t>(one.fd)]; }

    // What comes is waited for in any case: an owner that waits for it has no further word.
    void watch(fd_record& one) noexcept
    {
        for (const filter& of : filters)
            if (any((one.interest | ready::in) & of.what) && !any(known(one) & of.what)) {
                known(one) |= of.what;
                add(one.fd, of);
            }
    }

    void add(int fd, const filter& of) noexcept
    {
        ++count_->registrations;
        if (change_count_ == batch_max)
            exchange(0);
        changes_[static_cast<std::size_t>(change_count_++)] = change_of(fd, of.number, of.flags);
    }

    void exchange(nanoseconds timeout) noexcept
    {
        ++count_->waits;
        int found = queue_.exchange(changes_.data(), std::exchange(change_count_, 0),
                                    events_.data(), batch_max, timeout);
        for (int at = 0; at < found; ++at)
            take(events_[static_cast<std::size_t>(at)]);
    }

    void take(const struct kevent& event) noexcept
    {
        fd_record* one = fds_->find(fd_of(event));
        if (!one || !one->owner)
            return;
        if (event.flags & EV_ERROR)
            return not_watched(*one, event);
        if (event.filter == EVFILT_READ)
            return arrived(*one, event);
        known(*one) = without(known(*one), ready::out);
        report_edge(*run_, *one, ready::out);
    }

    void arrived(fd_record& one, const struct kevent& event) noexcept
    {
        bool ended = event.flags & EV_EOF;
        bool failed = ended && event.fflags != 0;
        auto bytes = std::clamp<std::int64_t>(event.data, 0, descriptor::uncounted);
        one.there = failed ? descriptor::uncounted : static_cast<std::uint16_t>(bytes);
        report_edge(*run_, one,
                    ready::in | (failed  ? ready::failed
                                 : ended ? ready::hang_up
                                         : ready::none));
    }

    // Where the system lacks memory it is tried again. Else the file never blocks, or its other end is gone, as the next read
    // or write tells.
    void not_watched(fd_record& one, const struct kevent& event) noexcept
    {
        auto error = static_cast<int>(event.data);
        ready what = event.filter == EVFILT_READ ? ready::in : ready::out;
        known(one) = without(known(one), what);
        if (error != ENOMEM)
            return report_edge(*run_, one, what);
        log::warn("kqueue cannot watch fd {} now: {}", one.fd, std::strerror(error));
        if (!one.fd_hook<dirty_fd_tag>::is_linked()) // once for both directions
            refused_.push_back(one);
    }

    fd_table* fds_;
    process_list<run_tag>* run_;
    counters* count_;
    os::kqueue queue_;
    std::pmr::vector<ready> known_; // by fd: what the queue was told of, or will be by changes_
    dirty_fds refused_;
    int change_count_ = 0;
    std::array<struct kevent, batch_max> changes_;
    std::array<struct kevent, batch_max> events_;
};

} // namespace

extern const driver kqueue_driver{"kqueue", make_in_memory<kqueue_poller>, sizeof(ready)};

} // namespace vk
