#pragma once

// server: an echo server under test, a process of its own on a core of its own.
//
// Each is this very program, run again as `vk-bench serve NAME` (fork and exec, so that its memory
// holds nothing of the load generator's), or any other program that knows `--listen ADDR:PORT` and
// prints `listening on ADDR:PORT`. It dies with the bench, whatever way that ends.

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vk::bench {

struct endpoint {
    pid_t pid = -1;
    std::uint16_t port = 0;
};

/// Owns the child process: started by the constructor, ended by the destructor.
class server {
public:
    /// `name`: one of contestants(), or a path (it has a '/') of another program; its options may
    /// follow it, parted by spaces. Throws std::runtime_error when it does not listen within some
    /// seconds.
    server(std::string name, int core);
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    const std::string& name() const noexcept { return name_; }
    endpoint at() const noexcept { return at_; }

    /// SIGTERM, some patience, SIGKILL. Harmless when it has ended already.
    void stop() noexcept;

private:
    void start(const std::vector<std::string>& command, int core);
    std::uint16_t read_port() const;

    std::string name_;
    endpoint at_;
    int stdout_ = -1;
};

/// What a table calls this server: its name and options, of a path the file name.
std::string label(const std::string& name);

} // namespace vk::bench
