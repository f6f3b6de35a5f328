#include "bench/goal.hpp"

#include <cmath>

#include <fmt/core.h>

namespace vk::bench {

bool is_met(const goal& wanted, double figure, int decimals)
{
    const double step = std::pow(10, -decimals);
    const double over = std::round((figure - wanted.bound) / step);
    return wanted.is == goal::side::at_least ? over >= 0 : over <= 0; // not a number: never
}

std::string verdict(const goal& wanted, double figure, int decimals)
{
    return fmt::format("{} {:g} {}", wanted.is == goal::side::at_least ? ">=" : "<=", wanted.bound,
                       is_met(wanted, figure, decimals) ? "met" : "MISSED");
}

} // namespace vk::bench
