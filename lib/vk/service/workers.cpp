#include "vk/service/workers.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"

#include <cerrno>
#include <csignal>
#include <vector>

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

class crew {
public:
    crew(unsigned size, const worker_function& work, const std::function<void()>& announce)
        : size_(size), work_(work), announce_(announce), counted_(size)
    {
        constexpr int wanted[] = {SIGTERM, SIGINT, SIGCHLD};
        signals_ = os::signal_open(wanted, 3);
        if (signals_ < 0)
            raise(-signals_, "signalfd");
        if (int result = os::pipe(ready_); result < 0)
            raise(-result, "pipe");
    }
    ~crew()
    {
        (void)os::close(signals_);
        (void)os::close(ready_[0]);
        (void)os::close(ready_[1]);
    }
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    int run()
    {
        for (unsigned worker = 0; worker < size_; ++worker)
            if (!fork_one(worker))
                break;
        while (!pids_.empty())
            wait();
        return status_;
    }

    counters total() noexcept
    {
        counters sum;
        for (unsigned worker = 0; worker < size_; ++worker)
            sum += counted_.of(worker);
        return sum;
    }

private:
    bool fork_one(unsigned worker)
    {
        int pid = os::fork();
        if (pid == 0)
            os::exit_now(be_worker(worker));
        if (pid < 0) {
            log::error("fork: error {}", -pid);
            fail();
            return false;
        }
        pids_.push_back(pid);
        return true;
    }

    int be_worker(unsigned worker) noexcept
    try {
        (void)os::close(signals_);
        auto ready = [this] { (void)os::write(ready_[1], "r", 1); };
        return work_(ready, counted_.of(worker));
    } catch (const std::exception& e) {
        log::error("worker {}: {}", worker, e.what());
        return 1;
    }

    void wait()
    {
        pollfd fds[] = {{signals_, POLLIN, 0}, {ready_[0], POLLIN, 0}};
        (void)os::poll(fds, 2, -1);
        if (fds[1].revents)
            count_ready();
        if (fds[0].revents)
            take_signals();
    }

    void count_ready()
    {
        char bytes[64];
        ssize_t count = os::read(ready_[0], bytes, sizeof(bytes));
        if (count > 0 && (ready_count_ += static_cast<unsigned>(count)) == size_)
            announce_();
    }

    void take_signals()
    {
        for (int signal = os::signal_read(signals_); signal > 0;
             signal = os::signal_read(signals_)) {
            if (signal == SIGCHLD)
                reap();
            else
                pass_on(signal);
        }
    }

    void pass_on(int signal)
    {
        stopping_ = true;
        for (int pid : pids_)
            (void)os::kill(pid, signal);
    }

    void reap()
    {
        for (std::size_t at = 0; at < pids_.size();) {
            int status = 0;
            int ended = os::wait_child(pids_[at], false, status);
            if (ended == 0 || ended == -EINTR) {
                ++at;
                continue;
            }
            report(pids_[at], status);
            pids_.erase(pids_.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }

    void report(int pid, int status)
    {
        bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!well && WIFSIGNALED(status))
            log::error("worker {} was ended by signal {}", pid, WTERMSIG(status));
        else if (!well)
            log::error("worker {} ended with status {}", pid, WEXITSTATUS(status));
        else if (!stopping_)
            log::error("worker {} ended early", pid);
        if (!well || !stopping_)
            fail();
    }

    void fail()
    {
        status_ = 1;
        if (!stopping_)
            pass_on(SIGTERM);
    }

    unsigned size_;
    const worker_function& work_;
    const std::function<void()>& announce_;
    shared_counters counted_;
    int signals_ = -1;
    int ready_[2] = {-1, -1};
    std::vector<int> pids_;
    unsigned ready_count_ = 0;
    bool stopping_ = false;
    int status_ = 0;
};

} // namespace

int run_workers(unsigned workers, const worker_function& work,
                const std::function<void()>& announce, counters& total)
{
    crew all(workers, work, announce);
    int status = all.run();
    total = all.total();
    return status;
}

} // namespace vk
