#include "vk/kernel/poller/poller.hpp"

#include "vk/base/error.hpp"
#include "vk/base/limits.hpp"
#include "vk/base/log.hpp"
#include "vk/kernel/poller/drivers.hpp"

#include <cerrno>
#include <cstring>
#include <string>

namespace vk {
namespace {

#define VK_ADDRESS_OF_DRIVER(name) &name##_driver,
const driver* const drivers[] = {VK_POLLER_DRIVERS(VK_ADDRESS_OF_DRIVER)};
#undef VK_ADDRESS_OF_DRIVER

const driver* find(std::string_view name) noexcept
{
    for (const driver* one : drivers)
        if (one->name == name)
            return one;
    return nullptr;
}

} // namespace

poller* epoll_instead(const char* what, int error, const poller_parts& parts)
{
    log::warn("{} cannot be used, epoll is: {}", what, std::strerror(error));
    return epoll_driver.make(parts);
}

poller* make_poller(std::string_view name, const poller_parts& parts)
{
    if (const driver* found = find(name))
        return found->make(parts);
    throw error(EINVAL,
                ("poller '" + std::string(name) + "' is not one of " + poller_names()).c_str());
}

std::string_view fastest_poller(bool masked) noexcept
{
#ifdef VK_WITH_URING
    if (!masked)
        return uring_driver.name;
#endif
    (void)masked;
    return epoll_driver.name;
}

bool is_poller(std::string_view name) noexcept
{
    return find(name) != nullptr;
}

std::size_t poller_bytes(std::string_view name, std::size_t fds) noexcept
{
    const driver* found = find(name);
    return limits::poller_bytes + (found ? found->fd_bytes * fds : 0);
}

std::string poller_names()
{
    std::string all;
    for (const driver* one : drivers) {
        if (!all.empty())
            all += ", ";
        all += one->name;
    }
    return all;
}

} // namespace vk
