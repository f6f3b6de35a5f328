#pragma once

// address: where a server listens, as people write it.
//
//   127.0.0.1:8080   [::1]:8080   :8080 (every interface)   localhost:0 (a free port)   unix:/run/echo.sock

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace vk {

class address {
public:
    /// Bytes of a host as text, with room for a zero (INET6_ADDRSTRLEN).
    static constexpr std::size_t host_bytes_max = 46;

    /// Throws vk::error (EINVAL) that says what is wrong with `text`.
    static address parse(std::string_view text);

    /// The address that the socket `fd` is bound to. Throws vk::error.
    static address of_socket(int fd);

    /// The address of the other end of the connected socket `fd`; a unix one has no path. Throws vk::error.
    static address of_peer(int fd);

    int family() const noexcept { return storage_.ss_family; }
    bool is_unix() const noexcept { return family() == AF_UNIX; }
    const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t bytes() const noexcept { return bytes_; }

    /// The path of a unix address.
    const char* path() const noexcept;

    /// The host of an IP address, without port and brackets, in `to`; empty of a unix one.
    std::string_view host(std::span<char, host_bytes_max> to) const noexcept;

    /// As parse() reads it.
    std::string text() const;

private:
    static address asked(int fd, int (*ask)(int, sockaddr_storage&) noexcept, const char* call);

    sockaddr_storage storage_{};
    socklen_t bytes_ = 0;
};

} // namespace vk
