#include "bench/fork_server.hpp"

#include "bench/listener.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

namespace {

pid_t parent = -1;

// All that it calls may be called by a handler (signal-safety(7)). A child has inherited it.
void end_all(int)
{
    if (::getpid() != parent)
        ::_exit(0);
    ::kill(0, SIGTERM); // the group; this process has it blocked while it is here
    while (::waitpid(-1, nullptr, 0) > 0) {}
    ::_exit(0);
}

void end_all_on_sigterm()
{
    struct sigaction action{};
    action.sa_handler = end_all;
    if (::setpgid(0, 0) != 0 || ::sigaction(SIGTERM, &action, nullptr) != 0)
        throw std::system_error(errno, std::generic_category(), "a process group");
}

} // namespace

fork_server::fork_server(void (*serve)(int fd), void (*prepare)())
    : serve_(serve), prepare_(prepare)
{
    parent = ::getpid();
    end_all_on_sigterm();
    listener_ = listen_on_loopback(0);
}

void fork_server::run()
{
    for (;;) {
        reap();
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        no_delay(fd);
        prepare_();
        start(fd);
        ::close(fd);
    }
}

// All that have ended; where there are as many as there may be, it waits for one.
void fork_server::reap()
{
    while (children_ > 0 && ::waitpid(-1, nullptr, children_ < children_max ? WNOHANG : 0) > 0)
        --children_;
}

void fork_server::start(int fd)
{
    const pid_t child = ::fork();
    if (child > 0)
        ++children_;
    if (child != 0)
        return; // a fork that failed: the connection is closed
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(1);
    ::close(listener_);
    serve_(fd);
    ::_exit(0);
}

} // namespace vk::bench
