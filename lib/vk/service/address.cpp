#include "vk/service/address.hpp"

#include "vk/base/error.hpp"
#include "vk/base/os.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace vk {
namespace {

[[noreturn]] void refuse(std::string_view text, const char* why)
{
    throw error(EINVAL, fmt::format("address '{}': {}", text, why).c_str());
}

std::uint16_t parse_port(std::string_view whole, std::string_view digits)
{
    std::uint16_t port = 0;
    auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || bad != std::errc{} || end != digits.data() + digits.size())
        refuse(whole, "the port must be a number from 0 to 65535");
    return port;
}

} // namespace

address address::parse(std::string_view text)
{
    address made;
    if (text.starts_with("unix:")) {
        std::string_view path = text.substr(5);
        auto& to = reinterpret_cast<sockaddr_un&>(made.storage_);
        if (path.empty() || path.size() >= sizeof(to.sun_path))
            refuse(text, "the path must have 1 to 107 bytes");
        to.sun_family = AF_UNIX;
        std::memcpy(to.sun_path, path.data(), path.size());
        made.bytes_ = sizeof(to);
        return made;
    }
    std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        refuse(text, "expected ADDRESS:PORT or unix:PATH");
    std::string host(text.substr(0, colon));
    std::uint16_t port = htons(parse_port(text, text.substr(colon + 1)));
    if (host == "localhost")
        host = "127.0.0.1";
    if (host.empty() || host == "*")
        host = "0.0.0.0";
    if (host.front() == '[' && host.back() == ']') {
        auto& to = reinterpret_cast<sockaddr_in6&>(made.storage_);
        to.sin6_family = AF_INET6;
        to.sin6_port = port;
        made.bytes_ = sizeof(to);
        if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &to.sin6_addr) != 1)
            refuse(text, "not an IPv6 address between the brackets");
        return made;
    }
    auto& to = reinterpret_cast<sockaddr_in&>(made.storage_);
    to.sin_family = AF_INET;
    to.sin_port = port;
    made.bytes_ = sizeof(to);
    if (inet_pton(AF_INET, host.c_str(), &to.sin_addr) != 1)
        refuse(text, "not an IPv4 address (IPv6 goes in brackets, names are not resolved)");
    return made;
}

address address::of_socket(int fd)
{
    return asked(fd, os::local_address, "getsockname");
}

address address::of_peer(int fd)
{
    return asked(fd, os::peer_address, "getpeername");
}

address address::asked(int fd, int (*ask)(int, sockaddr_storage&) noexcept, const char* call)
{
    address made;
    int result = ask(fd, made.storage_);
    if (result < 0)
        raise(-result, call);
    switch (made.family()) {
    case AF_INET:
        made.bytes_ = sizeof(sockaddr_in);
        break;
    case AF_INET6:
        made.bytes_ = sizeof(sockaddr_in6);
        break;
    default:
        made.bytes_ = sizeof(sockaddr_un);
        break;
    }
    return made;
}

const char* address::path() const noexcept
{
    return reinterpret_cast<const sockaddr_un&>(storage_).sun_path;
}

std::string_view address::host(std::span<char, host_bytes_max> to) const noexcept
{
    static_assert(host_bytes_max >= INET6_ADDRSTRLEN);
    const void* from = nullptr;
    if (family() == AF_INET)
        from = &reinterpret_cast<const sockaddr_in&>(storage_).sin_addr;
    else if (family() == AF_INET6)
        from = &reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr;
    bool written = from && inet_ntop(family(), from, to.data(), socklen_t{host_bytes_max});
    return written ? std::string_view(to.data()) : std::string_view();
}

std::string address::text() const
{
    char host_text[host_bytes_max];
    std::string_view name = host(host_text);
    if (family() == AF_INET)
        return fmt::format("{}:{}", name,
                           ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port));
    if (family() == AF_INET6)
        return fmt::format("[{}]:{}", name,
                           ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port));
    return fmt::format("unix:{}", path());
}

} // namespace vk
