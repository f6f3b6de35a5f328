#pragma once

// sample: the statistics of interleaved rounds.
//
// Subjects are measured in turn, A B A B ..., so that a slow spell of the machine touches both. A
// ratio is the median of the rounds' own ratios (a[i] / b[i]), not the ratio of two medians: what
// both had in common in one round cancels.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vk::bench {

/// The middle value, or the mean of the two middle ones; 0 when there is none.
/// Not a number where one of them is none.
double median(std::vector<double> values);

/// The median of `values[i] / baseline[i]` over the rounds both have; 0 when there is none.
double paired_ratio(const std::vector<double>& values, const std::vector<double>& baseline);

/// One member of each of many samples.
template <class Sample>
std::vector<double> column(const std::vector<Sample>& samples, double Sample::* member)
{
    std::vector<double> values(samples.size());
    std::transform(samples.begin(), samples.end(), values.begin(),
                   [member](const Sample& each) { return each.*member; });
    return values;
}

} // namespace vk::bench
