#pragma once

// in_process: time something inside of a micro-process, without a kernel.

#include "bench/meter.hpp"

#include "vk/proc/run_local.hpp"

#include <cstddef>
#include <cstdint>

namespace vk::bench {

/// `subject(n, elapsed)` does n operations and says how many nanoseconds they took.
inline timing in_process(task<> (*subject)(std::uint64_t n, std::int64_t& elapsed))
{
    return [subject](std::uint64_t n) {
        std::int64_t elapsed = 0;
        run_local(subject, n, elapsed);
        return elapsed;
    };
}

} // namespace vk::bench
