#include "bench/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace vk::bench {

std::uint64_t histogram::upper(std::size_t i) noexcept
{
    static_assert(buckets == index(largest) + 1);
    // Below 2^(bits+1) a bucket is one value; above, index() counts shift*128 + (128..255).
    const std::size_t step = std::size_t{1} << bits;
    const std::size_t shift = i < 2 * step ? 0 : i / step - 1;
    const std::uint64_t base = i - (shift << bits);
    return ((base + 1) << shift) - 1;
}

std::uint64_t histogram::at(double fraction) const noexcept
{
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= wanted && seen > 0)
            return std::min(upper(i), max_);
    }
    return max_;
}

} // namespace vk::bench
