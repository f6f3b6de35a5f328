#include "bench/canvas.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace vk::bench {

namespace {

std::string escaped(std::string_view text)
{
    std::string result;
    for (const char c : text) {
        if (c == '&')
            result += "&amp;";
        else if (c == '<')
            result += "&lt;";
        else if (c == '>')
            result += "&gt;";
        else
            result += c;
    }
    return result;
}

} // namespace

void canvas::text(point at, std::string_view what, std::string_view attributes)
{
    fmt::format_to(std::back_inserter(shapes_), "<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n",
                   at.x, at.y, attributes, escaped(what));
}

void canvas::bar(point at, double width, double height, std::string_view fill)
{
    fmt::format_to(
        std::back_inserter(shapes_),
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", at.x,
        at.y, std::max(width, 1.0), height, fill);
}

void canvas::line(point from, point to, std::string_view attributes)
{
    fmt::format_to(std::back_inserter(shapes_),
                   "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"{}/>\n", from.x,
                   from.y, to.x, to.y, attributes);
}

void canvas::curve(const std::vector<point>& points, std::string_view colour)
{
    std::string path;
    for (const auto& each : points)
        path += fmt::format("{:.1f},{:.1f} ", each.x, each.y);
    fmt::format_to(std::back_inserter(shapes_),
                   "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n",
                   path, colour);
}

std::string canvas::svg(double width, double height) const
{
    return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" "
                       "height=\"{:.0f}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                       "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
                       width, height, shapes_);
}

} // namespace vk::bench
