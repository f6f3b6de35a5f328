#pragma once

// options: what the examples run with. `vk::run(service)` would do; here the environment's VK_ISOLATION may name a
// level (none, process, full), on each of which an example does the same.

#include <vk/vk.hpp>

#include <cstdlib>
#include <string_view>

namespace examples {

inline vk::server_options options()
{
    const char* named = std::getenv("VK_ISOLATION");
    std::string_view level = named ? named : "none";
    vk::server_options made;
    if (level == "process")
        made.isolation = vk::isolation::process;
    if (level == "full")
        made.isolation = vk::isolation::full;
    return made;
}

} // namespace examples
