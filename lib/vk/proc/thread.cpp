#include "vk/proc/thread.hpp"

#include "vk/base/error.hpp"
#include "vk/proc/process.hpp"

#include <algorithm>
#include <utility>

namespace vk {

void thread::wait_on_list() noexcept
{
    blocked_ = true;
    waits_on_->push_back(*this);
    nanoseconds until = wait_.deadline;
    if (try_again_ != never) [[unlikely]]
        until = std::min(until, std::exchange(try_again_, never));
    if (until != never)
        process_->timers_.arm(*this, until);
    // A cancellation that came while the thread was not blocked ends the operation in which it blocks now.
    if (std::exchange(cancel_pending_, std::uint8_t{0}) != 0) [[unlikely]]
        wake_up(wake::cancelled);
}

void thread::wake_up(wake why) noexcept
{
    VK_DEBUG_ASSERT(blocked_);
    blocked_ = pausing_ = false;
    queue_hook::unlink();
    process_->timers_.disarm(*this);
    woken_ = why;
    if (why != wake::ready)
        attempt_ = nullptr;
    queue();
}

void thread::expire(nanoseconds now) noexcept
{
    wake_up(wait_.deadline <= now ? wake::timed_out : wake::ready);
}

void thread::cancel(canceller by) noexcept
{
    if (blocked_)
        wake_up(wake::cancelled);
    else
        cancel_pending_ |= static_cast<std::uint8_t>(by);
}

bool thread::play() noexcept
{
    bool paused = pausing_;
    if (paused)
        wake_up(wake::ready);
    return paused;
}

// Whether the coroutine may be resumed; if not, the thread waits or is queued again.
bool thread::attempt() noexcept
{
    switch (attempt_(awaiter_)) {
    case progress::done:
        attempt_ = nullptr;
        return true;
    case progress::blocked:
        wait_on_list();
        return false;
    case progress::spent:
        queue();
        return false;
    }
    return true;
}

void thread::throw_wake(const char* operation)
{
    wake why = woken_;
    woken_ = wake::ready;
    if (why == wake::timed_out)
        throw timed_out(operation);
    throw cancelled(operation);
}

} // namespace vk
