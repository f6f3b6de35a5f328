#pragma once

// curves: how a figure depends on another, a line for each subject.

#include "bench/canvas.hpp"

#include <string>
#include <vector>

namespace vk::bench {

/// Those of one panel share its axes, and have a figure at the same parts of a whole.
struct curve {
    std::string panel; // what is drawn, over what
    std::string name;
    std::vector<point> points; // x: that part; in its order
};

/// As an SVG image: a panel below the other, in the order in which they come first.
std::string plot(const std::string& title, const std::vector<curve>& curves);

} // namespace vk::bench
