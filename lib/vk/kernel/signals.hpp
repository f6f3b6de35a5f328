#pragma once

// signals: a daemon process that lets its kernel drain on SIGTERM and SIGINT.
//
// Signals are read from an fd like everything else (signalfd(2)), so that no handler runs at odd times and
// every poller driver wakes for them. A second signal, half a second later or more (limits::drain_again_ms),
// cancels what has not ended.

#include "vk/kernel/kernel.hpp"

namespace vk {

/// Block SIGTERM and SIGINT in this OS process, ignore SIGPIPE, and have `drained` drain on the former two.
/// Throws vk::error.
void drain_on_signals(kernel& drained);

} // namespace vk
