#include "bench/report.hpp"

#include "bench/machine.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <stdexcept>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vk::bench {

namespace {

using line = std::vector<std::string>;

bool is_text_column(std::size_t column)
{
    return column == 0;
}

line heading(const row& first)
{
    line cells{first.group, first.unit, "ratio"};
    for (const auto& each : first.more)
        cells.push_back(each.column);
    return cells;
}

constexpr int ratio_decimals = 3;

std::string to_text(double value, int decimals, const std::optional<goal>& wanted)
{
    if (std::isnan(value))
        return "-";
    const auto figure = fmt::format("{:.{}f}", value, decimals);
    return wanted ? fmt::format("{} ({})", figure, verdict(*wanted, value, decimals)) : figure;
}

line figures(const row& r)
{
    if (!r.failure.empty())
        return {r.name, "failed: " + r.failure};
    line cells{r.name, to_text(r.value, r.decimals, r.value_goal),
               to_text(r.ratio, ratio_decimals, r.ratio_goal)};
    for (const auto& each : r.more)
        cells.push_back(to_text(each.value, each.decimals, each.wanted));
    return cells;
}

void print_aligned(std::FILE* out, const std::vector<line>& lines)
{
    std::vector<std::size_t> widths;
    for (const auto& cells : lines) {
        widths.resize(std::max(widths.size(), cells.size()));
        for (std::size_t i = 0; i < cells.size(); ++i)
            if (!cells[i].starts_with("failed"))
                widths[i] = std::max(widths[i], cells[i].size());
    }
    for (const auto& cells : lines) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (is_text_column(i))
                fmt::print(out, "{:<{}}", cells[i], widths[i]);
            else
                fmt::print(out, "  {:>{}}", cells[i], widths[i]);
        }
        fmt::print(out, "\n");
    }
}

nlohmann::json to_json(const goal& wanted, double figure, int decimals)
{
    return {{wanted.is == goal::side::at_least ? "at least" : "at most", wanted.bound},
            {"met", is_met(wanted, figure, decimals)}};
}

nlohmann::json to_json(const row& r)
{
    nlohmann::json result{
        {"group", r.group}, {"name", r.name}, {"unit", r.unit}, {"baseline", r.baseline}};
    if (!r.failure.empty()) {
        result["failure"] = r.failure;
        return result;
    }
    result["value"] = r.value;
    result["ratio"] = r.ratio;
    result["more_is_better"] = r.more_is_better;
    result["samples"] = r.samples;
    if (r.value_goal)
        result["goals"][r.unit] = to_json(*r.value_goal, r.value, r.decimals);
    if (r.ratio_goal)
        result["goals"]["ratio"] = to_json(*r.ratio_goal, r.ratio, ratio_decimals);
    for (const auto& each : r.more) {
        result["more"][each.column] = each.value;
        if (each.wanted)
            result["goals"][each.column] = to_json(*each.wanted, each.value, each.decimals);
    }
    return result;
}

void write(const std::string& path, const std::string& text)
{
    std::ofstream file(path, std::ios::trunc);
    file << text;
    file.close();
    if (!file)
        throw std::runtime_error(fmt::format("cannot write '{}'", path));
}

} // namespace

bool report::failed() const
{
    return std::any_of(rows_.begin(), rows_.end(), [](const row& r) { return !r.failure.empty(); });
}

void report::print(std::FILE* out) const
{
    fmt::print(out, "{}\n", description());
    for (const auto& each : notes_)
        fmt::print(out, "{}\n", each);
    for (std::size_t i = 0; i < rows_.size();) {
        std::vector<line> lines{heading(rows_[i])};
        const auto& group = rows_[i].group;
        for (; i < rows_.size() && rows_[i].group == group; ++i)
            lines.push_back(figures(rows_[i]));
        fmt::print(out, "\n");
        print_aligned(out, lines);
    }
}

void report::write_json(const std::string& path) const
{
    nlohmann::json all{{"program", "vk-bench"}, {"command", command_}, {"machine", description()}};
    all["notes"] = notes_;
    all["rows"] = nlohmann::json::array();
    for (const auto& each : rows_)
        all["rows"].push_back(to_json(each));
    write(path, all.dump(2) + "\n");
}

void report::write_plot(const std::string& path) const
{
    write(path, curves_.empty() ? plot(command_, rows_) : plot(command_, curves_));
}

} // namespace vk::bench
