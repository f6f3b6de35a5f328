#pragma once

// address: where a server listens, as people write it.
//
//   127.0.0.1:8080   [::1]:8080   :8080 (every interface)   localhost:0 (a free port)   unix:/run/echo.sock

#include <string>
#include <string_view>

#include <sys/socket.h>

namespace vk {

class address {
public:
    /// Throws vk::error (EINVAL) that says what is wrong with `text`.
    static address parse(std::string_view text);

    /// The address that the socket `fd` is bound to. Throws vk::error.
    static address of_socket(int fd);

    int family() const noexcept { return storage_.ss_family; }
    bool is_unix() const noexcept { return family() == AF_UNIX; }
    const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t bytes() const noexcept { return bytes_; }

    /// The path of a unix address.
    const char* path() const noexcept;

    /// As parse() reads it.
    std::string text() const;

private:
    sockaddr_storage storage_{};
    socklen_t bytes_ = 0;
};

} // namespace vk
