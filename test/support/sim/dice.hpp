#pragma once

// Random numbers of a simulated world: the same for a seed on every machine and with every library (the
// distributions of <random> are not), which is what makes a seed a replay.

#include <cstdint>

namespace vk::sim {

class dice {
public:
    explicit dice(std::uint64_t seed) noexcept : state_{seed} {}

    /// The next 64 bits (splitmix64).
    std::uint64_t next() noexcept
    {
        std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15u;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
        return mixed ^ (mixed >> 31);
    }

    /// A number in [0, end), for end > 0.
    std::uint64_t below(std::uint64_t end) noexcept { return next() % end; }

    /// True in `probability` of all calls. A probability of 0 rolls nothing, so that a world without noise
    /// does not depend on how often it was asked.
    bool chance(double probability) noexcept
    {
        if (probability <= 0)
            return false;
        constexpr double unit = 1.0 / 9007199254740992.0; // 2^-53
        return static_cast<double>(next() >> 11) * unit < probability;
    }

private:
    std::uint64_t state_;
};

} // namespace vk::sim
