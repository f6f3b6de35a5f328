#pragma once

// pause: a thread that runs on when another one says so.
//
// The plainest way to hand over: nothing is passed but control. Whoever plays a thread refers to it, by its handle or
// as a vk::thread&, for which it lives long enough.

#include "vk/proc/process.hpp"

#include <source_location>

namespace vk {

class [[nodiscard]] pause_awaiter {
public:
    explicit pause_awaiter(std::source_location where) noexcept : where_(where) {}

    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) const noexcept
    {
        thread& self = thread::current();
        self.block_until_played(caller, self.process().paused, {"pause", -1, never, where_});
    }
    static void await_resume() { thread::current().check_wake("pause"); }

private:
    std::source_location where_;
};

/// Stop until thread::play() is called by another thread of the process. Always suspends. To be played before is not
/// remembered: what counts how often it happened is a semaphore, what stays true an event. Ended early by cancellation.
inline pause_awaiter pause(std::source_location where = std::source_location::current()) noexcept
{
    return pause_awaiter{where};
}

} // namespace vk
