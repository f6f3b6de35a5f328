#pragma once

// fork_server: a process a connection, as inetd and the first web servers had it: forked when the
// connection comes, blocking reads and writes, gone when it ends.
//
// What it answers, a function says that serves one connection (blocking_connection.hpp). The
// children are its process group, and end with it, whatever way that comes: on SIGTERM it ends them
// and reaps them; when it is killed, they are too.

#include <cstddef>

namespace vk::bench {

class fork_server {
public:
    /// Children at one time. While there are as many, nobody is accepted.
    static constexpr std::size_t children_max = 2048;

    /// `serve(fd)` runs in a child, and closes the fd. `prepare()` runs in the parent before each
    /// fork: what it has rendered, no child must. Throws std::system_error.
    fork_server(void (*serve)(int fd), void (*prepare)());

    [[noreturn]] void run();

private:
    void reap();
    void start(int fd);

    void (*serve_)(int fd);
    void (*prepare_)();
    int listener_;
    std::size_t children_ = 0;
};

} // namespace vk::bench
