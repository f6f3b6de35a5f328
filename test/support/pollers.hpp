#pragma once

// pollers: the drivers that were compiled in.

#include <vk/kernel/poller/poller.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace vk::test {

/// Their names.
inline std::vector<std::string> pollers()
{
    std::vector<std::string> all;
    std::string names = vk::poller_names();
    for (std::size_t at = 0; at < names.size();) {
        std::size_t end = std::min(names.find(", ", at), names.size());
        all.push_back(names.substr(at, end - at));
        at = end + 2;
    }
    return all;
}

/// The one that VK_POLLER names, or all.
inline std::vector<std::string> wanted_pollers()
{
    const char* only = std::getenv("VK_POLLER");
    return only && *only ? std::vector<std::string>{only} : pollers();
}

} // namespace vk::test
