#pragma once

// schedule: what tests of random schedules share: the system that a seed asks for, and what is left of a world.

#include "support/sim/sim.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vk::sim {

/// A small system, from one that does as it is told to one that is as rude as it may be.
inline options rude_system(std::uint64_t seed, dice& roll)
{
    auto some = [&] {
        constexpr std::array chances{0.0, 0.0, 0.03, 0.1, 0.3};
        return chances[roll.below(chances.size())];
    };
    options made;
    made.seed = seed;
    made.open_files = 32;
    made.socket_bytes = std::size_t{64} << roll.below(8);
    made.map_count = 512;
    made.noise = {some(), some(), some(), some(), some(), some(), some()};
    made.completions_max = roll.chance(0.3) ? 16 : 1024; // more than are polled
    made.submissions_max = 1u << (roll.chance(0.3) ? roll.below(2) : 8);
    return made;
}

/// What is wrong with a world in which nothing runs any more, a line each.
inline std::string left_behind(const world& in)
{
    std::string found;
    for (const std::string& one : in.complaints())
        found += one + '\n';
    if (in.open_fds() != 0)
        found += "descriptors are left open\n";
    if (in.mapped_bytes() != 0)
        found += "mappings are left\n";
    return found;
}

} // namespace vk::sim
