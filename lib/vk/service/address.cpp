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
    address made;
    int bytes = os::local_address(fd, made.storage_);
    if (bytes < 0)
        raise(-bytes, "getsockname");
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

std::string address::text() const
{
    char host[INET6_ADDRSTRLEN] = "";
    if (family() == AF_INET) {
        auto& from = reinterpret_cast<const sockaddr_in&>(storage_);
        inet_ntop(AF_INET, &from.sin_addr, host, sizeof(host));
        return fmt::format("{}:{}", host, ntohs(from.sin_port));
    }
    if (family() == AF_INET6) {
        auto& from = reinterpret_cast<const sockaddr_in6&>(storage_);
        inet_ntop(AF_INET6, &from.sin6_addr, host, sizeof(host));
        return fmt::format("[{}]:{}", host, ntohs(from.sin6_port));
    }
    return fmt::format("unix:{}", path());
}

} // namespace vk
