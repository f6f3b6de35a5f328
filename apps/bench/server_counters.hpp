#pragma once

// server_counters: what a server of this library says that it did, when it ends (`--stats FILE`).

#include <filesystem>

namespace vk::bench {

struct server_counters {
    double masks = 0;      // protection calls
    double dispatches = 0; //

    server_counters operator-(const server_counters& other) const
    {
        return {masks - other.masks, dispatches - other.dispatches};
    }
};

/// Throws load_error where there is no such file, or where it says nothing of them.
server_counters read_counters(const std::filesystem::path& file);

} // namespace vk::bench
