#include "vk/service/workers.hpp"

#include "vk/base/error.hpp"
#include "vk/base/hardware_fault.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>

namespace vk {
namespace {

// Memory in which each worker leaves its counters for the parent.
class shared_counters {
public:
    explicit shared_counters(unsigned workers) : bytes_(workers * sizeof(counters))
    {
        int error = 0;
        void* at = os::map_shared(bytes_, error);
        if (!at)
            raise(error, "map shared counters");
        all_ = new (at) counters[workers];
    }
    ~shared_counters() { (void)os::unmap(all_, bytes_); }
    shared_counters(const shared_counters&) = delete;
    shared_counters& operator=(const shared_counters&) = delete;

    counters& of(unsigned worker) noexcept { return all_[worker]; }

private:
    std::size_t bytes_;
    counters* all_;
};

double to_ms(nanoseconds span) noexcept
{
    return static_cast<double>(span) / 1e6;
}

std::string text_of_signal(int signal)
{
    std::string_view name = signal_name(signal);
    return name == "signal" ? fmt::format("signal {}", signal)
                            : fmt::format("signal {} ({})", signal, name);
}

// Empty for an end that is well for a worker that was told to end.
std::string failure_of(int status)
{
    if (WIFSIGNALED(status))
        return "was ended by " + text_of_signal(WTERMSIG(status));
    int code = WEXITSTATUS(status);
    return code == 0 ? "" : fmt::format("ended with status {}", code);
}

// A worker's place: who has it now, or when it is filled again. Invariant: running or awaited or neither.
struct place {
    explicit place(const worker_restart_policy& policy) : restarts(policy) {}

    bool running() const noexcept { return pid > 0; }
    bool awaited() const noexcept { return due != never; }

    int pid = 0;
    nanoseconds due = never;      // when the next worker is started
    nanoseconds vacant_since = 0; // the end of the worker before
    bool has_served = false;      // some worker of this place came to serve
    worker_restarts restarts;
};

class foreman {
public:
    foreman(unsigned size, const worker_crew& crew)
        : crew_(crew), counted_(size), places_(size, place(crew.restarts))
    {
        constexpr int wanted[] = {SIGTERM, SIGINT, SIGCHLD};
        signals_ = os::signal_open(wanted, 3);
        if (signals_ < 0)
            raise(-signals_, "signalfd");
        if (int result = os::pipe(ready_); result < 0)
            raise(-result, "pipe");
    }
    ~foreman()
    {
        (void)os::close(signals_);
        (void)os::close(ready_[0]);
        (void)os::close(ready_[1]);
    }
    foreman(const foreman&) = delete;
    foreman& operator=(const foreman&) = delete;

    int run()
    {
        for (unsigned worker = 0; worker < size() && !stopping_; ++worker)
            if (!fill(worker))
                fail();
        while (std::any_of(places_.begin(), places_.end(),
                           [](const place& one) { return one.running() || one.awaited(); }))
            wait();
        return status_;
    }

    counters total() noexcept
    {
        counters sum = past_;
        for (unsigned worker = 0; worker < size(); ++worker)
            sum += counted_.of(worker);
        return sum;
    }

private:
    unsigned size() const noexcept { return static_cast<unsigned>(places_.size()); }

    // --- a worker starts

    bool fill(unsigned worker)
    {
        int pid = os::fork();
        if (pid == 0)
            os::exit_now(be_worker(worker));
        if (pid < 0) {
            log::error("worker {} cannot be started: {}", worker, std::strerror(-pid));
            return false;
        }
        places_[worker].pid = pid;
        return true;
    }

    int be_worker(unsigned worker) noexcept
    try {
        (void)os::close(signals_);
        (void)os::close(ready_[0]);
        auto ready = [&] { (void)os::write(ready_[1], &worker, sizeof(worker)); };
        return crew_.work(worker, ready, counted_.of(worker));
    } catch (const std::exception& e) {
        log::error("worker {}: {}", worker, e.what());
        return 1;
    }

    // What one worker writes to the pipe comes whole (pipe(7)).
    void hear_ready()
    {
        unsigned worker = 0;
        while (os::read(ready_[0], &worker, sizeof(worker)) == sizeof(worker))
            serves(worker);
    }

    void serves(unsigned worker)
    {
        place& at = places_[worker];
        nanoseconds now = os::now();
        at.restarts.serves(now);
        if (std::exchange(at.has_served, true))
            log::info("worker {} serves again, as {}, after {:.1f} ms", worker, at.pid,
                      to_ms(now - at.vacant_since));
        else if (++places_served_ == size())
            crew_.announce();
    }

    // --- while they run

    void wait()
    {
        pollfd fds[] = {{signals_, POLLIN, 0}, {ready_[0], POLLIN, 0}};
        (void)os::poll(fds, 2, time_until_due());
        if (fds[1].revents)
            hear_ready();
        if (fds[0].revents)
            take_signals();
        fill_due();
    }

    nanoseconds time_until_due() const noexcept
    {
        nanoseconds due = never;
        for (const place& one : places_)
            due = std::min(due, one.due);
        return due == never ? -1 : std::max<nanoseconds>(0, due - os::now());
    }

    void take_signals()
    {
        for (int signal = os::signal_read(signals_); signal > 0;
             signal = os::signal_read(signals_)) {
            if (signal == SIGCHLD)
                reap();
            else
                stop(signal);
        }
    }

    void fill_due()
    {
        nanoseconds now = os::now();
        for (unsigned worker = 0; worker < size(); ++worker) {
            place& at = places_[worker];
            if (at.due > now)
                continue;
            at.due = never;
            past_ += std::exchange(counted_.of(worker), counters());
            if (fill(worker))
                ++past_.restarts;
            else
                replace(worker, fmt::format("worker {} is still missing", worker));
        }
    }

    // --- a worker ends

    void reap()
    {
        for (unsigned worker = 0; worker < size(); ++worker) {
            int status = 0;
            place& at = places_[worker];
            if (!at.running())
                continue;
            int ended = os::wait_child(at.pid, false, status);
            if (ended == 0 || ended == -EINTR)
                continue;
            hear_ready(); // what it said before
            has_ended(worker, std::exchange(at.pid, 0), status);
        }
    }

    void has_ended(unsigned worker, int pid, int status)
    {
        std::string what = failure_of(status);
        if (what.empty() && stopping_)
            return;
        std::string line =
            fmt::format("worker {} ({}) {}", worker, pid, what.empty() ? "ended early" : what);
        if (places_[worker].has_served && !stopping_)
            return replace(worker, line);
        log::error("{}", line);
        fail();
    }

    void replace(unsigned worker, const std::string& why)
    {
        place& at = places_[worker];
        at.vacant_since = os::now();
        at.due = at.restarts.ended(at.vacant_since);
        if (at.due == never) {
            log::error("{}; after {} restarts within {} s it is given up", why,
                       crew_.restarts.restarts_max, crew_.restarts.period_ms / 1000);
            return fail();
        }
        nanoseconds pause = at.due - at.vacant_since;
        log::error("{}; it is restarted {}", why,
                   pause == 0 ? "at once" : fmt::format("in {:.0f} ms", to_ms(pause)));
    }

    // --- the end

    void fail()
    {
        status_ = 1;
        if (!stopping_)
            stop(SIGTERM);
    }

    void stop(int signal)
    {
        if (!std::exchange(stopping_, true))
            crew_.retire();
        for (place& one : places_) {
            one.due = never;
            if (one.running())
                (void)os::kill(one.pid, signal);
        }
    }

    const worker_crew& crew_;
    shared_counters counted_;
    counters past_; // of workers that were replaced
    std::vector<place> places_;
    int signals_ = -1;
    int ready_[2] = {-1, -1};
    unsigned places_served_ = 0;
    bool stopping_ = false;
    int status_ = 0;
};

} // namespace

int run_workers(unsigned workers, const worker_crew& crew, counters& total)
{
    foreman over(workers, crew);
    int status = over.run();
    total = over.total();
    return status;
}

} // namespace vk
