#include "vk/proc/thread.hpp"

#include "vk/base/error.hpp"
#include "vk/proc/process.hpp"

#include <algorithm>
#include <utility>

namespace vk {

void thread::arm(nanoseconds until) noexcept
{
    try_again_ = never;
    process_->timers_.arm(*this, until);
}

void thread::disarm() noexcept
{
    process_->timers_.disarm(*this);
}

// A cancellation that came while the thread was not blocked ends the operation in which it blocks now.
void thread::end_at_once() noexcept
{
    cancel_pending_ = 0;
    wake_up(wake::cancelled);
}

void thread::cancel_woken(const wait_list& list) noexcept
{
    for (thread& one : process::current().run_) {
        if (one.waits_on_ != &list || one.woken_ != wake::ready)
            continue;
        one.woken_ = wake::cancelled;
        one.attempt_ = nullptr;
    }
}

void thread::expire(nanoseconds now) noexcept
{
    wake_up(wait_.deadline <= now ? wake::timed_out : wake::ready);
}

void thread::cancel(canceller by) noexcept
{
    if (blocked())
        wake_up(wake::cancelled);
    else
        cancel_pending_ |= static_cast<std::uint8_t>(by);
}

bool thread::play() noexcept
{
    bool paused = blocked() && awaiter_ == &pausing_mark;
    if (paused)
        wake_up(wake::ready);
    return paused;
}

// An attempt was not done.
void thread::try_later(progress how) noexcept
{
    if (how == progress::blocked)
        wait_on_list();
    else
        queue();
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
