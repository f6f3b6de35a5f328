#pragma once

// ask: leave a request for the kernel, as soon as the mailbox has room for it.

#include "vk/base/error.hpp"
#include "vk/proc/process.hpp"

#include <cerrno>

namespace vk {

class [[nodiscard]] ask_awaiter {
public:
    ask_awaiter(const request& wanted, bool takes_tie) noexcept
        : wanted_(wanted), takes_tie_(takes_tie)
    {
        VK_REQUIRE(process::current().shared().fds != 0); // there is a kernel to ask
    }

    bool await_ready() noexcept { return leave(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        // The mailbox is emptied before the next dispatch.
        process::current().spend_all();
        auto again = [](void* self) noexcept {
            if (static_cast<ask_awaiter*>(self)->leave())
                return progress::done;
            process::current().spend_all();
            return progress::spent;
        };
        thread::current().yield(caller, process::current().vacancy_waiters,
                                {"ask the kernel", -1, never, {}}, this, again);
    }
    void await_resume() const
    {
        if (refused_)
            raise(EAGAIN, "tie a process to another");
    }

private:
    bool leave() noexcept
    {
        commons& shared = process::current().shared();
        refused_ = takes_tie_ && shared.ties == 0;
        if (refused_)
            return true;
        if (!shared.requests.leave(wanted_))
            return false;
        shared.ties -= takes_tie_;
        return true;
    }

    request wanted_;
    bool takes_tie_;
    bool refused_ = false;
};

/// Leave `wanted` for the kernel, which reads it after this batch. Suspends only when the mailbox is full; is not ended
/// early. What takes a tie throws vk::error (EAGAIN) when the kernel has no room for another
/// (kernel_options::ties_max).
inline ask_awaiter ask(const request& wanted, bool takes_tie) noexcept
{
    return {wanted, takes_tie};
}

} // namespace vk
