#include "support/sim/address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace vk::sim {

namespace {

template <class Address>
Address as(const void* bytes)
{
    Address address;
    std::memcpy(&address, bytes, sizeof address);
    return address;
}

std::string unix_text(const sockaddr* address, socklen_t bytes)
{
    constexpr std::size_t path_at = offsetof(sockaddr_un, sun_path);
    if (bytes <= path_at)
        return "unix:";
    const char* const path = reinterpret_cast<const char*>(address) + path_at;
    const std::size_t length = bytes - path_at;
    if (path[0] == '\0')
        return "unix:@" + std::string{path + 1, length - 1};
    return "unix:" + std::string{path, ::strnlen(path, length)};
}

std::string after_colon(const std::string& text)
{
    return text.substr(text.rfind(':') + 1);
}

} // namespace

std::string text_of(const sockaddr* address, socklen_t bytes)
{
    std::array<char, INET6_ADDRSTRLEN> name{};
    if (address->sa_family == AF_INET && bytes >= sizeof(sockaddr_in)) {
        const auto in = as<sockaddr_in>(address);
        ::inet_ntop(AF_INET, &in.sin_addr, name.data(), name.size());
        return std::string{name.data()} + ":" + std::to_string(ntohs(in.sin_port));
    }
    if (address->sa_family == AF_INET6 && bytes >= sizeof(sockaddr_in6)) {
        const auto in = as<sockaddr_in6>(address);
        ::inet_ntop(AF_INET6, &in.sin6_addr, name.data(), name.size());
        return "[" + std::string{name.data()} + "]:" + std::to_string(ntohs(in.sin6_port));
    }
    if (address->sa_family == AF_UNIX)
        return unix_text(address, bytes);
    return {};
}

int port_of(const sockaddr_storage& address) noexcept
{
    if (address.ss_family == AF_INET)
        return ntohs(as<sockaddr_in>(&address).sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(as<sockaddr_in6>(&address).sin6_port);
    return 0;
}

void set_port(sockaddr_storage& address, int port) noexcept
{
    const in_port_t in_order = htons(static_cast<std::uint16_t>(port));
    if (address.ss_family == AF_INET)
        reinterpret_cast<sockaddr_in*>(&address)->sin_port = in_order;
    if (address.ss_family == AF_INET6)
        reinterpret_cast<sockaddr_in6*>(&address)->sin6_port = in_order;
}

bool serves(const std::string& bound, const std::string& wanted)
{
    if (bound == wanted)
        return true;
    const bool any = bound.starts_with("0.0.0.0:") || bound.starts_with("[::]:");
    return any && !wanted.starts_with("unix:") && after_colon(bound) == after_colon(wanted);
}

} // namespace vk::sim
