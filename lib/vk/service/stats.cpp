#include "vk/service/stats.hpp"

#include "vk/base/error.hpp"
#include "vk/base/os.hpp"

#include <cerrno>

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
    std::string text = to_json(all);
    int fd = os::create(path.c_str());
    if (fd < 0)
        throw error(-fd, fmt::format("write {}", path).c_str());
    ssize_t written = os::write(fd, text.data(), text.size());
    int closed = os::close(fd);
    if (written != static_cast<ssize_t>(text.size()) || closed < 0)
        throw error(written < 0 ? static_cast<int>(-written) : EIO,
                    fmt::format("write {}", path).c_str());
}

} // namespace vk
