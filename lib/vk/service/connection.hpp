#pragma once

// connection: the program of a process that serves one connection.

#include "vk/kernel/program.hpp"
#include "vk/service/service.hpp"

#include <chrono>

namespace vk {

class connection final : public program {
public:
    /// `timeout` ends an operation on the connection that takes longer; zero is without limit. `tcp` says that
    /// the connection is one, as descriptor::exact.
    connection(service serve, std::chrono::nanoseconds timeout, bool tcp) noexcept
        : service_(serve), timeout_(timeout), tcp_(tcp)
    {
    }

    void start(process& fresh, int fd) const override;

private:
    service service_;
    std::chrono::nanoseconds timeout_;
    bool tcp_;
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
