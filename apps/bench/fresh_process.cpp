#include "bench/fresh_process.hpp"

#include "bench/machine.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <system_error>

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

namespace {

/// What the process says before it ends; it fits a pipe at once.
struct message {
    double ns = 0;
    char failure[200] = ""; // empty when there is a figure
};

message measure(const timing& what, std::uint64_t n, int core) noexcept
{
    message said;
    try {
        pin(core);
        said.ns = static_cast<double>(what(n));
    } catch (const std::exception& error) {
        std::strncpy(said.failure, error.what(), sizeof said.failure - 1);
    }
    return said;
}

// It leaves by no exception and by no exit(3): both would go on as its parent.
[[noreturn]] void measure_and_exit(const timing& what, std::uint64_t n, int core,
                                   unsigned seconds_max, int to) noexcept
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(seconds_max);
    const message said = measure(what, n, core);
    ::_exit(::write(to, &said, sizeof said) == sizeof said ? 0 : 1);
}

std::string end_of(int status, unsigned seconds_max)
{
    if (!WIFSIGNALED(status))
        return fmt::format("its process ended with status {}", WEXITSTATUS(status));
    if (WTERMSIG(status) == SIGALRM)
        return fmt::format("took longer than {} s", seconds_max);
    return fmt::format("its process was killed by signal {}", WTERMSIG(status));
}

} // namespace

measurement_apart in_fresh_process(const timing& what, std::uint64_t n, int core,
                                   unsigned seconds_max)
{
    int ends[2];
    if (::pipe(ends) < 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    const pid_t child = ::fork();
    if (child == 0)
        measure_and_exit(what, n, core, seconds_max, ends[1]);
    ::close(ends[1]);
    int status = 0;
    rusage used{};
    message said;
    const bool forked = child > 0;
    const bool came = forked && ::read(ends[0], &said, sizeof said) == sizeof said;
    ::close(ends[0]);
    if (!forked)
        throw std::system_error(EAGAIN, std::generic_category(), "fork");
    while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) {}
    if (!came)
        throw std::runtime_error(end_of(status, seconds_max));
    if (said.failure[0] != '\0')
        throw std::runtime_error(said.failure);
    return {said.ns, static_cast<double>(used.ru_maxrss) * 1024};
}

} // namespace vk::bench
