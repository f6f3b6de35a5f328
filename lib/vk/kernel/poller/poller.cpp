#include "vk/kernel/poller/poller.hpp"

#include "vk/base/error.hpp"
#include "vk/kernel/poller/drivers.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>

namespace vk {
namespace {

struct driver {
    std::string_view name;
    poller* (*make)(const poller_parts&);
};

constexpr driver drivers[] = {
    {"epoll", make_epoll_poller},
    {"poll", make_poll_poller},
};

} // namespace

poller* make_poller(std::string_view name, const poller_parts& parts)
{
    for (const driver& one : drivers)
        if (one.name == name)
            return one.make(parts);
    throw error(EINVAL,
                ("poller '" + std::string(name) + "' is not one of " + poller_names()).c_str());
}

bool is_poller(std::string_view name) noexcept
{
    return std::any_of(std::begin(drivers), std::end(drivers),
                       [name](const driver& one) { return one.name == name; });
}

std::string poller_names()
{
    std::string all;
    for (const driver& one : drivers) {
        if (!all.empty())
            all += ", ";
        all += one.name;
    }
    return all;
}

} // namespace vk
