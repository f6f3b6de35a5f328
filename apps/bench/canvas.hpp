#pragma once

// canvas: shapes and text that become an SVG image, in the order in which they are drawn.

#include <string>
#include <string_view>
#include <vector>

namespace vk::bench {

struct point {
    double x = 0;
    double y = 0;
};

class canvas {
public:
    /// `attributes`: more of SVG's, each with a space before it.
    void text(point at, std::string_view what, std::string_view attributes = {});
    void bar(point at, double width, double height, std::string_view fill);
    void line(point from, point to, std::string_view attributes);
    void curve(const std::vector<point>& points, std::string_view colour);

    /// All of it, on white.
    std::string svg(double width, double height) const;

private:
    std::string shapes_;
};

} // namespace vk::bench
