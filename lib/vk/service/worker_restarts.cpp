#include "vk/service/worker_restarts.hpp"

#include <algorithm>
#include <utility>

namespace vk {
namespace {

constexpr nanoseconds of_ms(std::int64_t ms) noexcept
{
    return ms * 1'000'000;
}

} // namespace

nanoseconds worker_restarts::ended(nanoseconds now)
{
    while (!recent_.empty() && after(recent_.front(), of_ms(policy_.period_ms)) <= now)
        recent_.pop_front();
    if (recent_.size() >= policy_.restarts_max)
        return never;
    nanoseconds at = after(now, next_pause(now));
    recent_.push_back(at);
    return at;
}

nanoseconds worker_restarts::next_pause(nanoseconds now) noexcept
{
    nanoseconds since = std::exchange(serves_since_, never);
    if (since != never && now - since >= of_ms(policy_.well_ms))
        pause_ = 0;
    nanoseconds doubled = std::max(2 * pause_, of_ms(policy_.pause_ms_first));
    return std::exchange(pause_, std::min(doubled, of_ms(policy_.pause_ms_max)));
}

} // namespace vk
