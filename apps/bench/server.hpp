#pragma once

// server: a server under test, a process of its own on a core of its own.
//
// Each is this very program, run again as `vk-bench serve NAME` (fork and exec, so that its memory
// holds nothing of the load generator's), or any other program that prints `listening on
// ADDR:PORT`; a line_up makes its command. It dies with the bench, whatever way that ends.

#include "bench/line_up.hpp"

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace vk::bench {

struct endpoint {
    pid_t pid = -1;
    std::uint16_t port = 0;
};

/// Owns the child process: started by the constructor, ended by the destructor.
class server {
public:
    /// Throws std::runtime_error when it does not listen within some seconds. `subject` is not
    /// kept.
    server(const participant& subject, int core);
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    endpoint at() const noexcept { return at_; }

    /// SIGTERM, some patience, SIGKILL. Harmless when it has ended already.
    void stop() noexcept;

private:
    void start(const arguments& command, int core);
    std::uint16_t read_port() const;

    endpoint at_;
    int stdout_ = -1;
};

} // namespace vk::bench
