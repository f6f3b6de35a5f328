#pragma once

// time: monotonic nanoseconds in the library, std::chrono at its interface.

#include <chrono>
#include <cstdint>
#include <limits>

namespace vk {

/// A point of monotonic time, in nanoseconds (os::now()).
using nanoseconds = std::int64_t;

/// The deadline of what has none.
inline constexpr nanoseconds never = std::numeric_limits<nanoseconds>::max();

/// `from` + `span`, saturated at never.
constexpr nanoseconds after(nanoseconds from, nanoseconds span) noexcept
{
    return span >= never - from ? never : from + span;
}

/// The clock of deadlines, on the same scale as os::now().
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept;
};

} // namespace vk
