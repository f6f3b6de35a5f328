#pragma once

// client: a connecting socket on loopback, for the load generator.

#include <cstdint>

namespace vk::bench {

/// A TCP socket that sends at once (TCP_NODELAY), and whose close resets (no TIME_WAIT). The caller
/// owns it. `flags`: SOCK_NONBLOCK or 0. Throws load_error.
int client_socket(int flags);

/// False, and errno says why, where the connection does not stand yet.
bool connect_to(int fd, std::uint16_t port) noexcept;

/// Throws load_error: what, and errno.
[[noreturn]] void fail(const char* what);

} // namespace vk::bench
