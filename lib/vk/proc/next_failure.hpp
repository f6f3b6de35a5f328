#pragma once

// next_failure: a thread that supervises the others of its process.
//
// An exception that escapes a thread which nobody joins ends its process, unless a thread supervises: then
// it waits in the record of the thread that ended, where it needs no memory, until the supervising thread takes it.
// What cannot be unwound ends the whole process as ever.

#include "vk/proc/process.hpp"

#include <optional>
#include <source_location>

namespace vk {

class [[nodiscard]] next_failure_awaiter {
public:
    explicit next_failure_awaiter(std::source_location where) noexcept : where_(where)
    {
        process::current().supervise(thread::current());
    }

    static bool await_ready() noexcept
    {
        const process& self = process::current();
        return self.has_failure() || self.threads() == 1;
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        auto again = [](void*) noexcept {
            return await_ready() ? progress::done : progress::blocked;
        };
        thread& self = thread::current();
        self.block(caller, self.process().failure_waiters, {"next_failure", -1, never, where_},
                   this, again);
    }
    static std::optional<thread_failure> await_resume()
    {
        if (!await_ready())
            thread::current().check_wake("next_failure");
        return process::current().take_failure();
    }

private:
    std::source_location where_;
};

/// Wait for a thread of this process to fail, that is, for an exception (vk::hardware_fault is one) to escape a thread
/// whose handle was dropped. Returns nothing when the caller is the only thread left. From the first call on until it
/// ends the calling thread supervises, alone in its process, and failures that it has not taken yet queue; those that it
/// leaves behind end the process. Ended early by cancellation.
inline next_failure_awaiter
next_failure(std::source_location where = std::source_location::current()) noexcept
{
    return next_failure_awaiter{where};
}

} // namespace vk
