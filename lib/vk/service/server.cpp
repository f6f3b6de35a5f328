#include "vk/service/server.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/signals.hpp"
#include "vk/service/connection.hpp"
#include "vk/service/listener.hpp"
#include "vk/service/stats.hpp"
#include "vk/service/supervisor.hpp"
#include "vk/service/workers.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

namespace vk {
namespace {

kernel_options kernel_options_of(const server_options& from)
{
    kernel_options made;
    made.poller = from.poller;
    made.isolation = from.isolation;
    made.contain_faults = from.contain_faults;
    made.mask = from.mask;
    made.syscall_gate = from.syscall_gate;
    made.heap_pages = from.heap_pages;
    made.pool = from.pool;
    made.global_bytes_max = from.global_bytes_max;
    made.processes_max = from.connections_max;
    made.ties_max = from.ties_max;
    made.drain_ms = from.drain.count();
    return made;
}

// The sockets of a server, which all listen from the start. A TCP address has one for each worker, between which
// the system divides the connections; a unix address has one for all. They are the parent's: while the worker that
// accepts from one is being replaced, connections wait in its backlog.
class endpoints {
public:
    // By way of the empty one: what was opened is given back when the next cannot be.
    endpoints(const server_options& options, unsigned workers) : endpoints()
    {
        if (options.listen.empty())
            raise(EINVAL, "no address to listen on");
        for (const std::string& text : options.listen)
            open(address::parse(text), options.backlog, workers);
    }
    ~endpoints()
    {
        close();
        for (const endpoint& one : bound_)
            if (one.bound && one.at.is_unix() && os::pid() == owner_)
                (void)os::unlink(one.at.path());
    }
    endpoints(const endpoints&) = delete;
    endpoints& operator=(const endpoints&) = delete;

    /// In a worker: give back what is there for others.
    void keep(unsigned worker) noexcept
    {
        for (endpoint& one : bound_) {
            int own = one.at.is_unix() ? 0 : static_cast<int>(worker);
            std::swap(one.fds.front(), one.fds[static_cast<std::size_t>(own)]);
            give_back(one, 1);
        }
    }

    /// Call `accept(fd, tcp)` for each socket of the only worker, or of the one that is kept. The callee owns it
    /// from now on.
    template <class Accept>
    void take(Accept&& accept)
    {
        for (endpoint& one : bound_)
            accept(std::exchange(one.fds.front(), -1), !one.at.is_unix());
    }

    /// Give all back: connections are refused, once no worker listens either.
    void close() noexcept
    {
        for (endpoint& one : bound_)
            give_back(one, 0);
    }

    void announce() const
    {
        for (const endpoint& one : bound_)
            std::printf("listening on %s\n", one.at.text().c_str());
        std::fflush(stdout);
    }

private:
    struct endpoint {
        address at;
        std::vector<int> fds; // -1: taken
        bool bound;           // what stands at a unix path is ours
    };

    endpoints() = default;

    void open(const address& wanted, int backlog, unsigned workers)
    {
        bool shared = workers > 1 && !wanted.is_unix();
        endpoint& made = bound_.emplace_back(endpoint{wanted, {}, false});
        for (unsigned left = shared ? workers : 1; left > 0; --left) {
            made.fds.push_back(-1);
            made.fds.back() = open_listener(made.at, {backlog, shared});
            made.bound = true;
            if (!wanted.is_unix())
                made.at = address::of_socket(made.fds.back()); // port 0 is one port for all
        }
    }

    static void give_back(endpoint& one, std::size_t kept) noexcept
    {
        for (std::size_t at = kept; at < one.fds.size(); ++at)
            if (one.fds[at] >= 0)
                (void)os::close(std::exchange(one.fds[at], -1));
    }

    std::vector<endpoint> bound_;
    int owner_ = os::pid();
};

void start_tree(const supervisor& tree, kernel& on)
{
    if (!on.start(tree))
        raise(ENOMEM, "start the supervisor");
    on.need();
}

// One kernel, from start to drain.
int serve_here(const server_options& options, const kernel_options& how, const service& what,
               endpoints& at, const std::function<void()>& ready, counters& count)
{
    kernel::pointer here = kernel::make(how);
    drain_on_signals(*here);
    connection serving_tcp(what, options.timeout, fd_kind::tcp, options.privileged);
    connection serving_unix(what, options.timeout, fd_kind::unix_socket, options.privileged);
    listener accepting_tcp(serving_tcp);
    listener accepting_unix(serving_unix);
    at.take([&](int fd, bool tcp) {
        if (!here->start(tcp ? accepting_tcp : accepting_unix, fd))
            raise(ENOMEM, "start a listener");
    });
    if (options.supervisor)
        start_tree(*options.supervisor, *here);
    ready();
    here->run();
    count = here->count();
    if (options.ended)
        options.ended();
    return here->failed() ? 1 : 0;
}

// As many kernels as there are workers, each in an OS process that is replaced when it dies.
int serve_by_workers(const server_options& options, unsigned workers, const service& what,
                     const std::function<void(endpoints&)>& announce, counters& count)
{
    (void)os::open_files_max(); // the sockets of all workers are this process's, too
    endpoints at(options, workers);
    worker_crew crew;
    crew.work = [&](unsigned worker, const std::function<void()>& ready, counters& own) {
        at.keep(worker);
        kernel_options how = kernel_options_of(options);
        how.counted = &own;
        return serve_here(options, how, what, at, ready, own);
    };
    crew.announce = [&] { announce(at); };
    crew.retire = [&] { at.close(); };
    return run_workers(workers, crew, count);
}

int serve_all(const server_options& options, const service& what, counters& count)
{
    auto announce = [&](const endpoints& at) {
        if (options.announce)
            at.announce();
    };
    unsigned workers = std::max(1u, options.workers);
    if (workers > 1 || options.supervised)
        return serve_by_workers(options, workers, what, announce, count);
    endpoints at(options, 1);
    return serve_here(options, kernel_options_of(options), what, at, [&] { announce(at); }, count);
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

int supervise(const supervisor& tree, const server_options& options) noexcept
{
    return guarded(options, [&](counters& count) {
        kernel::pointer here = kernel::make(kernel_options_of(options));
        drain_on_signals(*here);
        start_tree(tree, *here);
        here->run();
        count = here->count();
        if (options.ended)
            options.ended();
        return here->failed() ? 1 : 0;
    });
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
