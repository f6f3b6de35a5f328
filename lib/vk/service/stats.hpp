#pragma once

// stats: counters as JSON.

#include "vk/proc/counters.hpp"

#include <string>

namespace vk {

/// One flat JSON object, a line for each counter.
std::string to_json(const counters& all);

/// Write to_json() to the file `path`. Throws vk::error.
void write_stats(const std::string& path, const counters& all);

} // namespace vk
