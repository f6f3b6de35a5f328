#include "bench/resident.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <fmt/core.h>

namespace vk::bench {

resident resident_of(pid_t pid)
{
    resident sum;
    bool found = false;
    for (const auto* name : {"smaps_rollup", "status"}) {
        std::ifstream file(fmt::format("/proc/{}/{}", pid, name));
        for (std::string line; std::getline(file, line);) {
            std::istringstream words(line);
            std::string key;
            double kib = 0;
            words >> key >> kib;
            found |= key == "Rss:";
            if (key == "Rss:")
                sum.rss += kib * 1024;
            else if (key == "Private_Clean:" || key == "Private_Dirty:")
                sum.own += kib * 1024;
            else if (key == "VmPTE:")
                sum.page_tables += kib * 1024;
        }
    }
    if (!found)
        throw std::runtime_error(fmt::format("cannot read /proc/{}/smaps_rollup", pid));
    return sum;
}

} // namespace vk::bench
