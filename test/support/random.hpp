#pragma once

// random: what a property test draws from. The seed is fixed, VK_SEED in the environment is another; a test
// says it with INFO, so that a failure can be repeated.

#include "support/sim/dice.hpp"

#include <cstdint>
#include <cstdlib>

namespace vk::test {

using sim::dice;

inline std::uint64_t seed()
{
    const char* wanted = std::getenv("VK_SEED");
    return wanted ? std::strtoull(wanted, nullptr, 0) : 20'240'611;
}

} // namespace vk::test
