#pragma once

// program: a kernel for a test, and programs that are functions.
//
// What a test's coroutine is given lies outside of every heap: it can be looked at before, while and after
// processes run, on each level of isolation.

#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/isolation.hpp"

#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/program.hpp>

#include <csignal>
#include <cstddef>
#include <cstdlib>

#include <unistd.h>

namespace vk::test {

/// Runs `main(fd, argument)` as the first thread of a process.
template <class Argument>
class fd_program final : public program {
public:
    using function = task<> (*)(int fd, Argument& argument);

    fd_program(function main, Argument& argument, bool privileged = false) noexcept
        : program(privileged), main_(main), argument_(&argument)
    {
    }

    void start(process& fresh, int fd) const override
    {
        fresh.start([&] { return main_(fd, *argument_); });
    }

private:
    function main_;
    Argument* argument_;
};

/// Runs `main(io, argument)` with a socket on its fd.
template <class Argument>
class socket_program final : public program {
public:
    using function = task<> (*)(socket& io, Argument& argument);

    socket_program(function main, Argument& argument, fd_kind kind = fd_kind::unix_socket) noexcept
        : main_(main), argument_(&argument), kind_(kind)
    {
    }

    void start(process& fresh, int fd) const override
    {
        fresh.start([&] { return run(main_, fd, argument_, kind_); });
    }

private:
    static task<> run(function main, int fd, Argument* argument, fd_kind kind)
    {
        descriptor at(fd, kind);
        socket io(at, at);
        task<> running = main(io, *argument);
        co_await std::move(running);
        co_await io.flush();
    }

    function main_;
    Argument* argument_;
    fd_kind kind_;
};

/// A kernel that ends a test which does not end by itself, and is found to have left nothing behind.
class kernel_here {
public:
    explicit kernel_here(const kernel_options& options = kernel_options_here())
        : fds_(open_fds()), made_(kernel::make(options))
    {
        (void)os::ignore_sigpipe();
        std::signal(SIGALRM,
                    [](int) { std::abort(); }); // which the framework reports with the test's name
        ::alarm(30);
    }
    ~kernel_here()
    {
        made_.reset();
        ::alarm(0);
        CHECK(open_fds() <= fds_); // the fds that it was given are closed too
    }
    kernel_here(const kernel_here&) = delete;
    kernel_here& operator=(const kernel_here&) = delete;

    kernel* operator->() noexcept { return made_.get(); }
    kernel& operator*() noexcept { return *made_; }

private:
    std::size_t fds_;
    kernel::pointer made_;
};

/// Run one process of `what` on `fd`, to its end; returns what was counted.
inline counters run_process(const program& what, int fd = -1)
{
    kernel_here here;
    REQUIRE(here->start(what, fd));
    here->run();
    CHECK(here->processes() == 0);
    return here->count();
}

/// As run_process(), for a function on a socket.
template <class Argument>
counters run_socket(task<> (*main)(socket&, Argument&), unique_fd& fd, Argument& argument,
                    fd_kind kind = fd_kind::unix_socket)
{
    socket_program<Argument> what(main, argument, kind);
    return run_process(what, fd.release());
}

} // namespace vk::test
