#pragma once

// isolation: the level of isolation and the driver that a test runs with.
//
// The whole suite passes on every level, and with every driver: meson runs the programs once for each level,
// with VK_ISOLATION (none, process, full) in the environment; VK_POLLER names a driver, as for a server, and VK_MASK
// by what memory is closed (mprotect, pkey).

#include <vk/base/os.hpp>
#include <vk/kernel/options.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vk::test {

/// What the environment asks for; a word that is none of the levels must not pass for one.
inline enum isolation isolation_level()
{
    const char* wanted = std::getenv("VK_ISOLATION");
    std::string_view level = wanted && *wanted ? wanted : "none";
    if (level == "none")
        return isolation::none;
    if (level == "process")
        return isolation::process;
    if (level == "full")
        return isolation::full;
    throw std::runtime_error("VK_ISOLATION is none, process or full, not " + std::string(level));
}

inline mask_way mask_here()
{
    const char* wanted = std::getenv("VK_MASK");
    std::string_view way = wanted && *wanted ? wanted : "auto";
    if (way == "auto")
        return mask_way::automatic;
    if (way == "mprotect")
        return mask_way::mprotect;
    if (way == "pkey")
        return mask_way::pkey;
    throw std::runtime_error("VK_MASK is auto, mprotect or pkey, not " + std::string(way));
}

/// A small kernel on that level, masked so, and with the driver of VK_POLLER.
inline kernel_options kernel_options_here()
{
    kernel_options made;
    made.isolation = isolation_level();
    made.mask = mask_here();
    made.processes_max = 64;
    made.drain_ms = 200;
    return made;
}

} // namespace vk::test
