#pragma once

// address: socket addresses as the text that tests and traces use: "127.0.0.1:80", "[::1]:80", "unix:/path".

#include <string>

#include <sys/socket.h>

namespace vk::sim {

/// The text of an address; empty for a family that the simulated system does not know.
std::string text_of(const sockaddr* address, socklen_t bytes);

/// The port of an IPv4 or IPv6 address, else 0.
int port_of(const sockaddr_storage& address) noexcept;
void set_port(sockaddr_storage& address, int port) noexcept;

/// Whether a connection to `wanted` is one for a listener at `bound`: the same, or any address of the port.
bool serves(const std::string& bound, const std::string& wanted);

} // namespace vk::sim
