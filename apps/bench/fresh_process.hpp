#pragma once

// fresh process: a measurement by a process of its own, whose memory holds nothing of the measurements before it.

#include "bench/meter.hpp"

#include <cstdint>

namespace vk::bench {

struct measurement_apart {
    double ns = 0;         // as the timing says
    double peak_bytes = 0; // resident memory at its highest, that of the program included
};

/// Have a forked process run `what(n)` on `core`. It is killed after `seconds_max`, and with this program. Throws
/// std::runtime_error that says what the timing threw, or how the process ended instead.
measurement_apart in_fresh_process(const timing& what, std::uint64_t n, int core,
                                   unsigned seconds_max);

} // namespace vk::bench
