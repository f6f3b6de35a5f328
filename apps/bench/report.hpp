#pragma once

// report: the results of a run, as a table to read, JSON to keep and a plot to look at.
//
// A row is one subject in one group; the group's baseline was measured in the same run, in turn
// with it, and the ratio stands beside the figure: an absolute figure is of one machine, a ratio
// travels.

#include "bench/curves.hpp"
#include "bench/goal.hpp"

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace vk::bench {

struct cell {
    std::string column;
    double value = 0; // not a number: there is none (`-`, and null as JSON)
    int decimals = 0;
    std::optional<goal> wanted = {}; // printed beside it, and whether it is met
};

struct row {
    std::string group;
    std::string name;
    std::string unit;
    double value = 0; // the median of the samples
    int decimals = 0;
    std::optional<goal> value_goal = {}; // as that of a cell
    std::string baseline;
    double ratio = 0;               // to the baseline: the median of the rounds' ratios
    std::optional<goal> ratio_goal; // as that of a cell
    bool more_is_better = false;
    std::vector<cell> more;
    std::vector<double> samples; // one a round
    std::string failure;         // why there is no figure; empty otherwise
};

class report {
public:
    explicit report(std::string command) : command_(std::move(command)) {}

    /// Rows of one group are added one after the other.
    void add(row next) { rows_.push_back(std::move(next)); }

    void add(curve next) { curves_.push_back(std::move(next)); }

    /// What a reader should know of the run: printed above the tables.
    void note(const std::vector<std::string>& notes)
    {
        notes_.insert(notes_.end(), notes.begin(), notes.end());
    }

    bool failed() const;

    void print(std::FILE* out) const;

    /// The plot is of the curves; of the rows, where there are none.
    /// Each throws std::runtime_error when the file cannot be written.
    void write_json(const std::string& path) const;
    void write_plot(const std::string& path) const;

    const std::vector<row>& rows() const noexcept { return rows_; }

private:
    std::string command_;
    std::vector<row> rows_;
    std::vector<curve> curves_;
    std::vector<std::string> notes_;
};

/// The rows as an SVG image: one bar a row, its length the ratio, a line where the ratio is 1.
std::string plot(const std::string& title, const std::vector<row>& rows);

} // namespace vk::bench
