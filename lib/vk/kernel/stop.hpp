#pragma once

// stop: end another process.

#include "vk/kernel/monitor.hpp"

#include <chrono>

namespace vk {

/// A span that is no limit, and one of no time at all, as OTP names them.
inline constexpr std::chrono::milliseconds infinity = std::chrono::milliseconds::max();
inline constexpr std::chrono::milliseconds brutal_kill{0};

/// Have `whom` end: every thread of it is cancelled once, and what has not ended after `span` is discarded without
/// running it, at once for brutal_kill. Only for a process that the caller monitors; another is left alone. Suspends only
/// when the mailbox is full.
inline ask_awaiter order_end(const process_id& whom, std::chrono::milliseconds span) noexcept
{
    constexpr std::int64_t longest = never / 1'000'000;
    request wanted{request::verb::stop};
    wanted.whom = whom;
    wanted.span = span.count() < longest ? span.count() * 1'000'000 : never;
    return ask(wanted, false);
}

/// Have `whom` end as above, and wait until it has; returns why it ended: exit_reason::kind::cancelled if it did as it was
/// told, `discarded` if it did not, `missing` if it was no more. Ended early by cancellation; `whom` is ended
/// nevertheless. Throws as monitor() does.
inline task<exit_reason> stop(process_id whom, std::chrono::milliseconds span,
                              std::source_location where = std::source_location::current())
{
    monitor_handle watched = co_await monitor(whom);
    co_await order_end(whom, span);
    exit_reason why = co_await watched.down(where);
    co_return why;
}

} // namespace vk
