#pragma once

// goal: what a figure is to be.

#include <string>

namespace vk::bench {

struct goal {
    enum class side { at_least, at_most };

    side is = side::at_least;
    double bound = 0;
};

/// Of a figure as it is printed, with that many decimals: what nobody sees decides nothing.
bool is_met(const goal& wanted, double figure, int decimals);

/// `>= 0.68 met`, `<= 2 MISSED`
std::string verdict(const goal& wanted, double figure, int decimals);

} // namespace vk::bench
