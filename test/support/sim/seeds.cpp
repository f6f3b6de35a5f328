#include "support/sim/sim.hpp"

#include <cstdlib>

namespace vk::sim {

std::vector<std::uint64_t> seeds(std::size_t count)
{
    if (const char* const only = std::getenv("VK_SEED"))
        return {std::strtoull(only, nullptr, 0)};
    std::vector<std::uint64_t> all;
    for (std::uint64_t seed = 1; seed <= count; ++seed)
        all.push_back(seed);
    return all;
}

} // namespace vk::sim
