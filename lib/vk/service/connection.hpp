#pragma once

// connection: the program of a process that serves one connection.

#include "vk/kernel/program.hpp"
#include "vk/service/service.hpp"

#include <chrono>

namespace vk {

class connection final : public program {
public:
    /// `timeout` ends an operation on the connection in which no byte moves for so long; zero is
    /// without limit. `kind` is what
    /// the connections are.
    connection(service serve, std::chrono::nanoseconds timeout, fd_kind kind,
               bool privileged = false) noexcept
        : program(privileged), service_(serve), timeout_(timeout), kind_(kind)
    {
    }

    void start(process& fresh, int fd) const override;

private:
    service service_;
    std::chrono::nanoseconds timeout_;
    fd_kind kind_;
};

/// As connection, on two fds: standard input and output.
class standard_connection final : public program {
public:
    explicit standard_connection(service serve) noexcept : service_(serve) {}
    void start(process& fresh, int fd) const override;

private:
    service service_;
};

} // namespace vk
