#pragma once

// yield, sleep: give way to the other threads, or to time.

#include "vk/base/os.hpp"
#include "vk/proc/process.hpp"

#include <chrono>
#include <source_location>

namespace vk {

class yield_awaiter {
public:
    static bool await_ready() noexcept { return false; }
    static void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        thread::current().yield(caller);
    }
    static void await_resume() noexcept {}
};

/// Go to the tail of the process's run queue. Always suspends; resumes when the ready threads before it have
/// run, in this dispatch unless its budget is spent.
inline yield_awaiter yield() noexcept
{
    return {};
}

class sleep_awaiter {
public:
    sleep_awaiter(nanoseconds until, std::source_location where) noexcept
        : until_(until), where_(where)
    {
    }
    bool await_ready() const noexcept { return until_ <= os::now(); }
    void await_suspend(std::coroutine_handle<> caller) const noexcept
    {
        thread& self = thread::current();
        self.block(caller, self.process().sleepers, {"sleep", -1, until_, where_});
    }
    void await_resume() const
    {
        // The deadline is what it waited for.
        thread& self = thread::current();
        self.accept_timeout();
        self.check_wake("sleep");
    }

private:
    nanoseconds until_;
    std::source_location where_;
};

/// Block until `deadline`. Does not suspend when it has passed. Ended early by cancellation.
inline sleep_awaiter
sleep_until(clock::time_point deadline,
            std::source_location where = std::source_location::current()) noexcept
{
    return {deadline.time_since_epoch().count(), where};
}

/// Block for `span`; as sleep_until().
inline sleep_awaiter
sleep_for(std::chrono::nanoseconds span,
          std::source_location where = std::source_location::current()) noexcept
{
    return {after(os::now(), span.count()), where};
}

} // namespace vk
