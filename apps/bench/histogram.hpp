#pragma once

// histogram: how often each duration was seen, at a known relative error and a fixed size.
//
// Log-linear, as HdrHistogram: each power of two is cut into 128 equal buckets, so that a value is
// known to within 1/128 (0.8 %), from 1 ns to 18 minutes, in 4,352 counters. To keep every sample
// and sort them was rejected: a run gives millions, and the memory they take would compete with
// what is measured.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace vk::bench {

class histogram {
public:
    void record(std::int64_t nanoseconds) noexcept
    {
        auto value = nanoseconds < 0 ? 0u : static_cast<std::uint64_t>(nanoseconds);
        if (value > largest)
            value = largest;
        ++counts_[index(value)];
        ++total_;
        if (value > max_)
            max_ = value;
    }

    void clear() noexcept { *this = histogram{}; }

    std::uint64_t total() const noexcept { return total_; }
    std::uint64_t max() const noexcept { return max_; }

    /// The duration, in nanoseconds, that `fraction` (0..1) of the samples do not exceed; 0 when
    /// empty.
    std::uint64_t at(double fraction) const noexcept;

private:
    static constexpr int bits = 7;
    static constexpr std::uint64_t largest = (std::uint64_t{1} << 40) - 1;

    static constexpr std::size_t index(std::uint64_t value) noexcept
    {
        const int width = static_cast<int>(std::bit_width(value));
        const int shift = width > bits + 1 ? width - (bits + 1) : 0;
        return (static_cast<std::size_t>(shift) << bits) + static_cast<std::size_t>(value >> shift);
    }

    /// The largest value that index() maps to `i`.
    static std::uint64_t upper(std::size_t i) noexcept;

    static constexpr std::size_t buckets = 34u << bits; // index(largest) + 1

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t max_ = 0;
};

} // namespace vk::bench
