#pragma once

// resident: the user memory of another process, as the system accounts for it.

#include <sys/types.h>

namespace vk::bench {

/// In bytes. `rss`: all resident pages; `own`: those no other process shares.
struct resident {
    double rss = 0;
    double own = 0;
    double page_tables = 0;
};

/// From /proc/PID/smaps_rollup and status. Throws std::runtime_error when it cannot be read.
resident resident_of(pid_t pid);

} // namespace vk::bench
