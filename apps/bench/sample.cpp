#include "bench/sample.hpp"

#include <cmath>

namespace vk::bench {

double median(std::vector<double> values)
{
    if (values.empty())
        return 0;
    if (std::any_of(values.begin(), values.end(), [](double each) { return std::isnan(each); }))
        return std::nan("");
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double paired_ratio(const std::vector<double>& values, const std::vector<double>& baseline)
{
    std::vector<double> ratios;
    for (std::size_t i = 0; i < std::min(values.size(), baseline.size()); ++i)
        if (baseline[i] > 0)
            ratios.push_back(values[i] / baseline[i]);
    return median(std::move(ratios));
}

} // namespace vk::bench
