// The plot of a report: horizontal bars, a scale for each group, the baseline's line at 1.

#include "bench/canvas.hpp"
#include "bench/report.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr double label_width = 190;
constexpr double bar_width = 420;
constexpr double text_width = 210;
constexpr double row_height = 20;
constexpr double group_height = 34;
constexpr double margin = 12;
constexpr double title_height = 30;

constexpr std::string_view grey = "#9aa0a6";
constexpr std::string_view green = "#2e8b57";
constexpr std::string_view red = "#c0563b";

std::string_view colour(const row& r)
{
    if (r.name == r.baseline)
        return grey;
    return (r.ratio >= 1) == r.more_is_better ? green : red;
}

double draw_row(canvas& c, const row& r, double y, double scale)
{
    const double base = y + row_height - 8;
    c.text({margin + label_width - 8, base}, r.name, " text-anchor=\"end\"");
    const double left = margin + label_width;
    if (!r.failure.empty()) {
        c.text({left + 6, base}, "failed: " + r.failure);
        return y + row_height;
    }
    c.bar({left, y + 1}, r.ratio * scale, row_height - 6, colour(r));
    c.text({left + bar_width + 8, base},
           fmt::format("{:.3f}   {:.{}f} {}", r.ratio, r.value, r.decimals, r.unit));
    return y + row_height;
}

template <class Iterator>
double draw_group(canvas& c, Iterator first, Iterator last, double y)
{
    double longest = 1.25;
    for (auto each = first; each != last; ++each)
        longest = std::max(longest, each->ratio);
    const double scale = bar_width / longest;
    c.text({margin, y + group_height - 12},
           fmt::format("{} ({} is better)", first->group, first->more_is_better ? "more" : "less"),
           " font-weight=\"bold\"");
    const double top = y + group_height - 4;
    double bottom = top;
    for (auto each = first; each != last; ++each)
        bottom = draw_row(c, *each, bottom, scale);
    const double one = margin + label_width + scale;
    c.line({one, top - 3}, {one, bottom - 2}, " stroke=\"#202124\" stroke-dasharray=\"3 2\"");
    return bottom;
}

} // namespace

std::string plot(const std::string& title, const std::vector<row>& rows)
{
    canvas c;
    double y = title_height;
    c.text({margin, y - 8}, title + ": ratio to the baseline", " font-size=\"14\"");
    for (auto first = rows.begin(); first != rows.end();) {
        const auto last =
            std::find_if(first, rows.end(), [&](const row& r) { return r.group != first->group; });
        y = draw_group(c, first, last, y);
        first = last;
    }
    return c.svg(2 * margin + label_width + bar_width + text_width, y + margin);
}

} // namespace vk::bench
