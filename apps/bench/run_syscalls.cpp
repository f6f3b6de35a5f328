// vk-bench syscalls: the system calls of each server for each request, as strace counts them.
//
// Connections are open and served before strace attaches, so that what is counted is the steady
// state. strace slows a server down manyfold: its reads and writes for each request stay what they
// are, while a wait may find more connections ready than it would at full speed.

#include "bench/load.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"
#include "bench/server.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

namespace {

struct count {
    double calls = 0;
    double errors = 0;
};

using counts = std::map<std::string, count>;

/// strace -c on a process, from the constructor to finish().
class tracer {
public:
    explicit tracer(pid_t subject)
        : file_(std::filesystem::temp_directory_path() /
                fmt::format("vk-bench-strace-{}", ::getpid()))
    {
        const auto who = std::to_string(subject);
        const pid_t parent = ::getpid();
        child_ = ::fork();
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGINT);
            if (::getppid() == parent)
                ::execlp("strace", "strace", "-q", "-f", "-c", "-U", "calls,errors,name", "-o",
                         file_.c_str(), "-p", who.c_str(), nullptr);
            ::_exit(127);
        }
        wait_until_attached(subject);
    }

    ~tracer()
    {
        end();
        std::error_code ignored;
        std::filesystem::remove(file_, ignored);
    }
    tracer(const tracer&) = delete;
    tracer& operator=(const tracer&) = delete;

    counts finish()
    {
        end();
        return parse();
    }

private:
    void wait_until_attached(pid_t subject)
    {
        for (int tries = 0; tries < 300; ++tries) {
            ::usleep(10'000);
            if (::waitpid(child_, nullptr, WNOHANG) == child_) {
                child_ = -1;
                throw load_error("strace is missing, or may not attach");
            }
            if (attached_to_all(subject))
                return;
        }
        throw load_error("strace did not attach");
    }

    // A thread that strace has seized names it as its tracer.
    bool attached_to_all(pid_t subject) const
    {
        for (const auto& task :
             std::filesystem::directory_iterator(fmt::format("/proc/{}/task", subject))) {
            std::ifstream file(task.path() / "status");
            std::string line;
            while (std::getline(file, line) && !line.starts_with("TracerPid:")) {}
            if (line.empty() || std::atoi(line.c_str() + 10) != child_)
                return false;
        }
        return true;
    }

    void end()
    {
        if (child_ <= 0)
            return;
        ::kill(child_, SIGINT);
        ::waitpid(child_, nullptr, 0);
        child_ = -1;
    }

    // "calls errors syscall" a line; the error column is blank where there is none.
    counts parse() const
    {
        counts result;
        std::ifstream file(file_);
        for (std::string line; std::getline(file, line);) {
            std::istringstream stream(line);
            std::vector<std::string> words;
            for (std::string word; stream >> word;)
                words.push_back(word);
            if (words.size() < 2 || std::atoi(words[0].c_str()) <= 0 || words.back() == "total")
                continue;
            auto& each = result[words.back()];
            each.calls = std::atof(words[0].c_str());
            each.errors = words.size() > 2 ? std::atof(words[1].c_str()) : 0;
        }
        return result;
    }

    std::filesystem::path file_;
    pid_t child_ = -1;
};

struct sample {
    double requests = 0;
    counts calls;
    std::string failure;

    double per_request(std::initializer_list<const char*> names) const
    {
        double sum = 0;
        for (const auto* name : names)
            if (const auto found = calls.find(name); found != calls.end())
                sum += found->second.calls;
        return requests > 0 ? sum / requests : 0;
    }

    double all() const
    {
        double sum = 0;
        for (const auto& each : calls)
            sum += each.second.calls;
        return requests > 0 ? sum / requests : 0;
    }

    double errors() const
    {
        double sum = 0;
        for (const auto& each : calls)
            sum += each.second.errors;
        return requests > 0 ? sum / requests : 0;
    }
};

sample measure(const participant& who, int depth, const syscalls_options& options)
{
    sample result;
    result.failure = who.failure;
    if (!result.failure.empty())
        return result;
    try {
        server subject(who, options.cores.server);
        load clients(subject.at(), options.kind, options.connections, depth);
        tracer trace(subject.at().pid);
        result.requests = static_cast<double>(
            clients.closed_loop_requests(static_cast<std::uint64_t>(options.requests)).answered);
        result.calls = trace.finish();
    } catch (const std::runtime_error& error) {
        result.failure = error.what();
    }
    return result;
}

} // namespace

void run_syscalls(const syscalls_options& options, report& into)
{
    pin(options.cores.load);
    allow_files(static_cast<unsigned>(options.connections) + 64);
    const line_up servers(options.kind.spoken, options.servers);
    into.note(servers.notes());
    for (const int depth : options.depths) {
        double baseline = 0;
        for (const auto& each : servers.all()) {
            const sample s = measure(each, depth, options);
            if (baseline <= 0)
                baseline = s.all();
            row r;
            r.group = fmt::format("{} connections, {} in flight", options.connections, depth);
            r.name = each.label;
            r.baseline = servers.all().front().label;
            r.unit = fmt::format("calls/{}", unit_of(options.kind.spoken));
            r.decimals = 4;
            r.value = s.all();
            r.ratio = baseline > 0 ? r.value / baseline : 0;
            r.failure = s.failure;
            r.samples = {r.value};
            r.more = {
                {"reads", s.per_request({"read", "readv", "recvfrom", "recvmsg", "recvmmsg"}), 4},
                {"writes", s.per_request({"write", "writev", "sendto", "sendmsg", "sendmmsg"}), 4},
                {"waits",
                 s.per_request({"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
                                "io_uring_enter", "futex"}),
                 4},
                {"epoll_ctl", s.per_request({"epoll_ctl"}), 4},
                {"mprotect", s.per_request({"mprotect", "pkey_mprotect", "madvise"}), 4},
                {"errors", s.errors(), 4}};
            into.add(r);
        }
    }
}

} // namespace vk::bench
