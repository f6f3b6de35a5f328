#include "vk/service/stats.hpp"

#include "vk/base/error.hpp"

#include <cerrno>
#include <fstream>

#include <fmt/format.h>

namespace vk {

std::string to_json(const counters& all)
{
    std::string text = "{";
    const char* between = "\n";
    counters::for_each(all, [&](const char* name, std::uint64_t value) {
        text += fmt::format("{}  \"{}\": {}", between, name, value);
        between = ",\n";
    });
    return text + "\n}\n";
}

void write_stats(const std::string& path, const counters& all)
{
    std::ofstream file(path);
    file << to_json(all);
    file.close();
    if (!file)
        throw error(errno ? errno : EIO, fmt::format("write {}", path).c_str());
}

} // namespace vk
