#pragma once

// worker_restarts: when a worker that ended early comes back, and when it does not any more.
//
// The first time it comes back at once, since clients wait. If it ends early again it comes back after a pause,
// which doubles each time, so that a worker that cannot live costs next to nothing; a worker that has served for
// a while is taken for well, and what was before is forgotten. One that needs too many restarts within a period
// is given up, as by OTP's restart intensity: what is wrong then is nothing that a restart mends.

#include "vk/base/limits.hpp"
#include "vk/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>

namespace vk {

struct worker_restart_policy {
    std::int64_t pause_ms_first = limits::restart_pause_ms_first;
    std::int64_t pause_ms_max = limits::restart_pause_ms_max;
    std::int64_t well_ms = limits::restart_well_ms; // served for so long: taken for well
    std::size_t restarts_max = limits::restarts_max;
    std::int64_t period_ms = limits::restarts_period_ms;
};

/// The restarts of one worker.
class worker_restarts {
public:
    explicit worker_restarts(const worker_restart_policy& policy) noexcept : policy_(policy) {}

    /// It serves since `now`.
    void serves(nanoseconds now) noexcept { serves_since_ = now; }

    /// It ended early at `now`: when it is to be started again, not before `now`; `never` when it is given up.
    nanoseconds ended(nanoseconds now);

private:
    nanoseconds next_pause(nanoseconds now) noexcept;

    worker_restart_policy policy_;
    nanoseconds serves_since_ = never;
    nanoseconds pause_ = 0;          // before the next restart
    std::deque<nanoseconds> recent_; // restarts within the period
};

} // namespace vk
