#pragma once

// listener: a listening socket on loopback, port chosen by the system and told on stdout, for the
// baselines.

#include <cstdint>

namespace vk::bench {

/// Prints `listening on 127.0.0.1:PORT`. The caller owns the fd. Throws std::system_error.
/// `flags`: SOCK_NONBLOCK or 0.
int listen_on_loopback(int flags);

/// Print that line.
void say_listening(std::uint16_t port);

/// Send small answers at once (TCP_NODELAY).
void no_delay(int fd) noexcept;

} // namespace vk::bench
