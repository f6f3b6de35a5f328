#pragma once

// child: run something in an OS process of its own, to see how that ends.
//
// For what ends a program (a fault, an assertion), what changes one for good (signal masks), and what might
// never return. The child is ended by SIGALRM when it takes too long, writes its stderr into a pipe for the
// parent, and leaves no core. Faults have their default action in it, whatever a sanitizer installed.

#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::test {

/// How a child ended.
struct ending {
    int status = 0;   // as of waitpid(2)
    std::string said; // on stderr

    bool exited_with(int code) const noexcept
    {
        return WIFEXITED(status) && WEXITSTATUS(status) == code;
    }
    bool killed_by(int signal) const noexcept
    {
        return WIFSIGNALED(status) && WTERMSIG(status) == signal;
    }
    /// For INFO.
    std::string text() const
    {
        if (WIFSIGNALED(status))
            return "killed by signal " + std::to_string(WTERMSIG(status)) + ", said: " + said;
        return "exited with " + std::to_string(WEXITSTATUS(status)) + ", said: " + said;
    }
};

/// A child that runs, and its stderr.
class child {
public:
    /// Fork and run `body`, which returns the exit status; an exception that escapes it is status 120.
    template <class Body>
    explicit child(Body&& body, unsigned seconds_max = 10)
    {
        int said[2];
        if (::pipe(said) < 0)
            throw std::runtime_error("pipe");
        std::fflush(nullptr);
        pid_ = ::fork();
        if (pid_ < 0)
            throw std::runtime_error("fork");
        if (pid_ == 0) {
            ::close(said[0]);
            ::dup2(said[1], STDERR_FILENO);
            ::close(said[1]);
            prepare(seconds_max);
            ::_exit(run(body));
        }
        ::close(said[1]);
        said_ = said[0];
    }
    ~child()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            (void)wait();
        }
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    int pid() const noexcept { return pid_; }

    ending wait()
    {
        ending ended;
        char bytes[4096];
        for (ssize_t got; (got = ::read(said_, bytes, sizeof(bytes))) > 0;)
            ended.said.append(bytes, static_cast<std::size_t>(got));
        ::close(said_);
        ::waitpid(std::exchange(pid_, -1), &ended.status, 0);
        return ended;
    }

private:
    static void prepare(unsigned seconds_max)
    {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
        for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGALRM})
            std::signal(signal, SIG_DFL);
        ::alarm(seconds_max);
    }

    template <class Body>
    static int run(Body& body) noexcept
    try {
        return body();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 120;
    }

    int pid_ = -1;
    int said_ = -1;
};

/// Run `body` in a child and wait for its end.
template <class Body>
ending in_child(Body&& body, unsigned seconds_max = 10)
{
    return child(std::forward<Body>(body), seconds_max).wait();
}

} // namespace vk::test
