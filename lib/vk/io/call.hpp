#pragma once

// call: a system call on an fd, repeated when the fd is ready, until it does not say EAGAIN.
//
// For what is not a stream: accepting connections, reading signals. The wait list is the caller's, since a
// descriptor without a socket has none.

#include "vk/proc/descriptor.hpp"
#include "vk/proc/process.hpp"

#include <cerrno>
#include <source_location>

namespace vk {

class [[nodiscard]] call_awaiter {
public:
    using function = int (*)(int fd) noexcept;

    call_awaiter(descriptor& at, function call, const char* operation,
                 std::source_location where) noexcept
        : at_(&at), call_(call), operation_(operation), where_(where)
    {
        VK_REQUIRE(at.readers != nullptr);
    }

    bool await_ready() noexcept { return (state_ = attempt()) == progress::done; }

    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        suspended_ = true;
        thread& self = thread::current();
        auto again = [](void* awaiter) noexcept {
            return static_cast<call_awaiter*>(awaiter)->attempt();
        };
        wait what{operation_, at_->fd, never, where_};
        if (state_ == progress::spent)
            self.yield(caller, *at_->readers, what, this, again);
        else
            self.block(caller, *at_->readers, what, this, again);
    }

    int await_resume() const
    {
        if (suspended_)
            thread::current().check_wake(operation_);
        return result_;
    }

private:
    progress attempt() noexcept
    {
        process& owner = process::current();
        if (owner.draining()) {
            result_ = -ESHUTDOWN;
            return progress::done;
        }
        if (owner.spent())
            return progress::spent;
        if (at_->may_read) {
            result_ = call_(at_->fd);
            owner.spend(cost_bytes);
            if (result_ != -EAGAIN)
                return progress::done;
            ++owner.shared().count.eagain;
            at_->drained();
        }
        owner.watch(*at_, ready::in);
        return progress::blocked;
    }

    // What a call counts against a dispatch's budget, which is measured in bytes moved.
    static constexpr std::int64_t cost_bytes = 2048;

    descriptor* at_;
    function call_;
    const char* operation_;
    std::source_location where_;
    progress state_ = progress::done;
    bool suspended_ = false;
    int result_ = 0;
};

/// Call `call` on the fd of `at`, waiting for input while it says EAGAIN. Returns its result, which may be an
/// error, or -ESHUTDOWN when the process drains. Ended early by cancellation.
inline call_awaiter call(descriptor& at, call_awaiter::function what, const char* operation,
                         std::source_location where = std::source_location::current()) noexcept
{
    return {at, what, operation, where};
}

} // namespace vk
