#pragma once

// alone: wait until the other threads of the process have ended.

#include "vk/proc/process.hpp"

#include <source_location>

namespace vk {

class [[nodiscard]] alone_awaiter {
public:
    explicit alone_awaiter(std::source_location where) noexcept : where_(where) {}

    static bool await_ready() noexcept { return process::current().threads() == 1; }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        suspended_ = true;
        thread& self = thread::current();
        self.block(caller, self.process().survivors, {"alone", -1, never, where_});
    }
    void await_resume() const
    {
        if (suspended_)
            thread::current().check_wake("alone");
    }

private:
    std::source_location where_;
    bool suspended_ = false;
};

/// Wait until the calling thread is the only one of its process. Does not suspend when it is. Ended early by
/// cancellation.
inline alone_awaiter alone(std::source_location where = std::source_location::current()) noexcept
{
    return alone_awaiter{where};
}

} // namespace vk
