#pragma once

// curves: how a figure depends on another, a line for each subject.

#include "bench/canvas.hpp"

#include <string>
#include <vector>

namespace vk::bench {

/// What is written below an x.
using mark = std::string (*)(double x);
std::string in_percent(double x);      // x is a part of a whole
std::string as_power_of_ten(double x); // x is a logarithm

/// Those of one panel share its axes, and have a figure at the same x.
struct curve {
    std::string panel; // what is drawn, over what
    std::string name;
    std::vector<point> points; // in the order of x
    mark below = in_percent;
};

/// As an SVG image: a panel below the other, in the order in which they come first.
std::string plot(const std::string& title, const std::vector<curve>& curves);

} // namespace vk::bench
