#pragma once

// listener: the process that accepts.
//
// It takes connections while the kernel has places for them and hands each to a process of its own. Errors
// that concern one connection are counted and passed over. When file descriptors or memory run out it waits
// for a process to end, or a moment, and tries again: it neither spins nor gives up.

#include "vk/kernel/program.hpp"
#include "vk/service/address.hpp"

namespace vk {

class listener final : public program {
public:
    /// Start a process of `serve`, which must outlive this, for each connection.
    explicit listener(const program& serve) noexcept : serve_(&serve) {}

    void start(process& fresh, int fd) const override;

private:
    const program* serve_;
};

struct listen_options {
    int backlog = 0;         // 0: limits::backlog_default
    bool share_port = false; // SO_REUSEPORT: other OS processes listen on the same port
};

/// A socket bound to `at` that listens. The caller owns it. A unix socket left behind by a server that is gone
/// is replaced. Throws vk::error that names the address.
int open_listener(const address& at, const listen_options& how);

} // namespace vk
