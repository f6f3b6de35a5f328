#include "bench/curves.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr double left = 60;
constexpr double panel_width = 480;
constexpr double panel_height = 220;
constexpr double panel_room = 70; // below it: the axis, and the title of the next
constexpr double legend_width = 260;
constexpr double title_height = 60;
constexpr int y_steps = 5;

constexpr std::string_view grid = " stroke=\"#dadce0\"";
constexpr std::string_view colours[] = {"#9aa0a6", "#2e8b57", "#c0563b", "#3b6fc0",
                                        "#8e5fb0", "#c79a22", "#2aa5a5", "#202124"};

std::string_view colour(std::size_t number)
{
    return colours[number % std::size(colours)];
}

/// Where a point of the panel is on the canvas: x from the least to the greatest, y from 0.
struct scale {
    double top = 0;
    double x_min = 0, x_max = 1;
    double y_max = 0;

    point operator()(point p) const
    {
        return {left + panel_width * (p.x - x_min) / std::max(x_max - x_min, 1e-9),
                top + panel_height * (1 - p.y / std::max(y_max, 1e-9))};
    }
};

using panel = std::vector<const curve*>;

// Not less than `step`, and read at a glance: 1, 2, 2.5 or 5 times a power of ten.
double round_step(double step)
{
    const double ten = std::pow(10, std::floor(std::log10(std::max(step, 1e-9))));
    for (const double each : {1.0, 2.0, 2.5, 5.0})
        if (step <= each * ten * 1.001)
            return each * ten;
    return 10 * ten;
}

scale fit(const panel& curves, double top)
{
    scale s{top, 1e9, -1e9, 0};
    for (const auto* each : curves)
        for (const auto& p : each->points) {
            s.x_min = std::min(s.x_min, p.x);
            s.x_max = std::max(s.x_max, p.x);
            s.y_max = std::max(s.y_max, p.y);
        }
    s.y_max = y_steps * round_step(s.y_max / y_steps);
    return s;
}

void draw_axes(canvas& c, const panel& curves, const scale& to)
{
    c.text({left, to.top - 12}, curves.front()->panel, " font-weight=\"bold\"");
    for (int i = 0; i <= y_steps; ++i) {
        const double y = to.y_max * i / y_steps;
        c.line(to({to.x_min, y}), to({to.x_max, y}), grid);
        c.text({left - 6, to({0, y}).y + 4}, fmt::format("{:.3g}", y), " text-anchor=\"end\"");
    }
    for (const auto& p : curves.front()->points) {
        c.line(to({p.x, 0}), to({p.x, to.y_max}), grid);
        c.text({to(p).x, to.top + panel_height + 16}, curves.front()->below(p.x),
               " text-anchor=\"middle\"");
    }
}

void draw_panel(canvas& c, const panel& curves, double top)
{
    const auto to = fit(curves, top);
    draw_axes(c, curves, to);
    for (std::size_t i = 0; i < curves.size(); ++i) {
        std::vector<point> points;
        for (const auto& p : curves[i]->points)
            points.push_back(to(p));
        c.curve(points, colour(i));
        c.text({left + panel_width + 16, top + 14 + 18 * static_cast<double>(i)}, curves[i]->name,
               fmt::format(" fill=\"{}\" font-weight=\"bold\"", colour(i)));
    }
}

std::vector<panel> panels_of(const std::vector<curve>& curves)
{
    std::vector<panel> panels;
    for (const auto& each : curves) {
        const auto same = std::find_if(panels.begin(), panels.end(), [&](const panel& p) {
            return p.front()->panel == each.panel;
        });
        auto& into = same == panels.end() ? panels.emplace_back() : *same;
        into.push_back(&each);
    }
    return panels;
}

} // namespace

std::string in_percent(double x)
{
    return fmt::format("{:.0f}", 100 * x);
}

std::string as_power_of_ten(double x)
{
    return fmt::format("{:.0f}", std::pow(10, x));
}

std::string plot(const std::string& title, const std::vector<curve>& curves)
{
    canvas c;
    c.text({12, 22}, title, " font-size=\"14\"");
    double top = title_height;
    for (const auto& each : panels_of(curves)) {
        draw_panel(c, each, top);
        top += panel_height + panel_room;
    }
    return c.svg(left + panel_width + legend_width, top - panel_room + 36);
}

} // namespace vk::bench
