#pragma once

// workers: OS processes that do the same, under a parent that waits for them.
//
// The parent serves nothing. It passes SIGTERM and SIGINT on, waits until every worker has ended and adds up
// what they counted. A worker that dies early takes the others with it, in good order.

#include "vk/proc/counters.hpp"

#include <functional>

namespace vk {

/// What a worker does: runs, calls `ready` once it serves, leaves its counters, returns its exit status.
using worker_function = std::function<int(const std::function<void()>& ready, counters& count)>;

/// Fork `workers` OS processes that run `work`; call `announce` when all are ready. Returns 0 when every worker
/// ended with 0, else 1; `total` gets the sum of their counters. Throws vk::error.
int run_workers(unsigned workers, const worker_function& work,
                const std::function<void()>& announce, counters& total);

} // namespace vk
