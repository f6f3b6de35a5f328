#pragma once

// isolation: the level of isolation and the driver that a test runs with.
//
// The whole suite passes on every level, and with every driver: meson runs the programs once for each level,
// with VK_ISOLATION (none, process, full) in the environment; VK_POLLER names a driver, as for a server.

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

/// A small kernel on that level, and with the driver of VK_POLLER.
inline kernel_options kernel_options_here()
{
    kernel_options made;
    made.isolation = isolation_level();
    made.processes_max = 64;
    made.drain_ms = 200;
    return made;
}

} // namespace vk::test
