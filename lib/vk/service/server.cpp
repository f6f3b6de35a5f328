#include "vk/service/server.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/signals.hpp"
#include "vk/service/connection.hpp"
#include "vk/service/listener.hpp"
#include "vk/service/stats.hpp"
#include "vk/service/workers.hpp"

#include <cstdio>
#include <functional>

namespace vk {
namespace {

kernel_options kernel_options_of(const server_options& from)
{
    kernel_options made;
    made.poller = from.poller;
    made.isolation = from.isolation;
    made.syscall_gate = from.syscall_gate;
    made.heap_pages = from.heap_pages;
    made.pool = from.pool;
    made.processes_max = from.connections_max;
    made.drain_ms = from.drain.count();
    return made;
}

// The sockets of a server: TCP ports that workers share are opened by each of them, on the ports that the
// parent reserved; unix sockets are opened once and inherited.
class endpoints {
public:
    // By way of the empty one: what was opened is given back when the next cannot be.
    endpoints(const server_options& options, bool shared) : endpoints(options.backlog, shared)
    {
        for (const std::string& text : options.listen)
            open(address::parse(text));
        if (bound_.empty())
            raise(EINVAL, "no address to listen on");
    }
    ~endpoints()
    {
        for (const endpoint& one : bound_) {
            if (one.fd >= 0)
                (void)os::close(one.fd);
            if (one.at.is_unix() && os::pid() == owner_)
                (void)os::unlink(one.at.path());
        }
    }
    endpoints(const endpoints&) = delete;
    endpoints& operator=(const endpoints&) = delete;

    /// Call `accept(fd, tcp)` for each socket to accept on, which the callee owns from now on.
    template <class Accept>
    void take(Accept&& accept)
    {
        for (endpoint& one : bound_) {
            bool tcp = !one.at.is_unix();
            int fd = shared_ && tcp ? open_listener(one.at, {backlog_, true, true})
                                    : std::exchange(one.fd, -1);
            accept(fd, tcp);
        }
    }

    void announce() const
    {
        for (const endpoint& one : bound_)
            std::printf("listening on %s\n", one.at.text().c_str());
        std::fflush(stdout);
    }

private:
    endpoints(int backlog, bool shared) noexcept : backlog_(backlog), shared_(shared) {}

    struct endpoint {
        address at;
        int fd;
    };

    void open(const address& wanted)
    {
        bool reserve_only = shared_ && !wanted.is_unix();
        int fd = open_listener(wanted, {backlog_, reserve_only, !reserve_only});
        endpoint& made = bound_.emplace_back(endpoint{wanted, fd});
        if (!wanted.is_unix())
            made.at = address::of_socket(fd);
    }

    std::vector<endpoint> bound_;
    int backlog_;
    bool shared_;
    int owner_ = os::pid();
};

// One kernel, from start to drain.
int serve_here(const server_options& options, const service& what, endpoints& at,
               const std::function<void()>& ready, counters& count)
{
    kernel::pointer here = kernel::make(kernel_options_of(options));
    drain_on_signals(*here);
    connection serving_tcp(what, options.timeout, fd_kind::tcp);
    connection serving_unix(what, options.timeout, fd_kind::unix_socket);
    listener accepting_tcp(serving_tcp);
    listener accepting_unix(serving_unix);
    at.take([&](int fd, bool tcp) {
        if (!here->start(tcp ? accepting_tcp : accepting_unix, fd))
            raise(ENOMEM, "start a listener");
    });
    ready();
    here->run();
    count = here->count();
    if (options.ended)
        options.ended();
    return 0;
}

int serve_all(const server_options& options, const service& what, counters& count)
{
    bool several = options.workers > 1;
    endpoints at(options, several);
    auto announce = [&] {
        if (options.announce)
            at.announce();
    };
    if (!several)
        return serve_here(options, what, at, announce, count);
    auto work = [&](const std::function<void()>& ready, counters& own) {
        return serve_here(options, what, at, ready, own);
    };
    return run_workers(options.workers, work, announce, count);
}

// Report what escapes, in one line, as an exit status; leave the counters behind.
template <class Run>
int guarded(const server_options& options, Run&& run) noexcept
try {
    counters count;
    int status = run(count);
    if (!options.stats.empty())
        write_stats(options.stats, count);
    return status;
} catch (const std::exception& e) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
}

// Non-blocking while it lasts: the setting is shared with whoever else has the file open.
class nonblocking {
public:
    explicit nonblocking(int fd) : fd_(fd), before_(os::set_nonblocking(fd, true))
    {
        if (before_ < 0)
            raise(-before_, "make standard input and output non-blocking");
    }
    ~nonblocking()
    {
        if (before_ == 0)
            (void)os::set_nonblocking(fd_, false);
    }
    nonblocking(const nonblocking&) = delete;
    nonblocking& operator=(const nonblocking&) = delete;

private:
    int fd_;
    int before_;
};

} // namespace

int serve(const server_options& options, const service& what) noexcept
{
    return guarded(options, [&](counters& count) { return serve_all(options, what, count); });
}

int serve_standard(const server_options& options, const service& what) noexcept
{
    return guarded(options, [&](counters& count) {
        nonblocking in(0);
        nonblocking out(1);
        kernel::pointer here = kernel::make(kernel_options_of(options));
        drain_on_signals(*here);
        standard_connection serving(what);
        if (!here->start(serving))
            raise(ENOMEM, "start the process");
        here->lend(0);
        here->lend(1);
        here->run();
        count = here->count();
        if (options.ended)
            options.ended();
        return count.processes_failed == 0 ? 0 : 1;
    });
}

} // namespace vk
