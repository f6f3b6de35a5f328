#include "bench/server_counters.hpp"

#include "bench/dialogue.hpp"

#include <fstream>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vk::bench {

server_counters read_counters(const std::filesystem::path& file)
try {
    std::ifstream text(file);
    const auto all = nlohmann::json::parse(text);
    return {all.at("masks").get<double>(), all.at("dispatches").get<double>()};
} catch (const nlohmann::json::exception& error) {
    throw load_error(fmt::format("the server left no counters: {}", error.what()));
}

} // namespace vk::bench
