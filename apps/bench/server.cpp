#include "bench/server.hpp"

#include "bench/machine.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr int start_ms_max = 5'000;
constexpr int stop_ms_max = 2'000;

// In the child: never returns.
[[noreturn]] void become_server(const arguments& command, int core, int out, pid_t parent)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(1);
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // `vk-bench syscalls` attaches strace to it
    ::setenv("VK_LOG", "warn", 0);               // that it drains when told to is no news here
    ::dup2(out, STDOUT_FILENO);
    try {
        pin(core);
        become(command);
    } catch (const std::exception& error) {
        fmt::print(stderr, "vk-bench: {}\n", error.what());
        ::_exit(127);
    }
}

} // namespace

server::server(const participant& subject, int core)
{
    start(subject.command, core);
    try {
        at_.port = read_port();
    } catch (...) {
        stop();
        throw;
    }
}

server::~server()
{
    stop();
}

void server::start(const arguments& command, int core)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0)
        become_server(command, core, ends[1], parent);
    ::close(ends[1]);
    stdout_ = ends[0];
    if (child < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    at_.pid = child;
}

std::uint16_t server::read_port() const
{
    constexpr std::string_view prefix = "listening on ";
    std::string line;
    for (const auto end = now_ns() + start_ms_max * 1'000'000ll; now_ns() < end;) {
        pollfd wait{stdout_, POLLIN, 0};
        char next = 0;
        if (::poll(&wait, 1, 100) <= 0)
            continue;
        if (::read(stdout_, &next, 1) != 1)
            break;
        if (next != '\n') {
            line.push_back(next);
            continue;
        }
        std::uint16_t port = 0;
        const auto* last = line.data() + line.size();
        const auto colon = line.rfind(':');
        if (line.starts_with(prefix) && colon != std::string::npos &&
            std::from_chars(line.data() + colon + 1, last, port).ptr == last)
            return port;
        line.clear();
    }
    throw std::runtime_error("the server did not start to listen");
}

void server::stop() noexcept
{
    if (at_.pid > 0) {
        ::kill(at_.pid, SIGTERM);
        const auto end = now_ns() + stop_ms_max * 1'000'000ll;
        while (::waitpid(at_.pid, nullptr, WNOHANG) == 0) {
            if (now_ns() > end) {
                ::kill(at_.pid, SIGKILL);
                ::waitpid(at_.pid, nullptr, 0);
                break;
            }
            ::usleep(1'000);
        }
        at_.pid = -1;
    }
    if (stdout_ >= 0)
        ::close(stdout_);
    stdout_ = -1;
}

} // namespace vk::bench
