#pragma once

// start, vacancy: what a listener asks of the kernel.

#include "vk/kernel/program.hpp"
#include "vk/proc/process.hpp"

#include <source_location>

namespace vk {

class [[nodiscard]] start_awaiter {
public:
    start_awaiter(const program& what, int fd) noexcept : what_(&what), fd_(fd) {}

    bool await_ready() noexcept { return leave(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        // The mailbox is emptied before the next dispatch.
        process::current().spend_all();
        auto again = [](void* self) noexcept {
            if (static_cast<start_awaiter*>(self)->leave())
                return progress::done;
            process::current().spend_all();
            return progress::spent;
        };
        thread::current().yield(caller, process::current().vacancy_waiters,
                                {"start", fd_, never, {}}, this, again);
    }
    static void await_resume() noexcept {}

private:
    bool leave() noexcept
    {
        commons& shared = process::current().shared();
        request wanted{request::verb::start};
        wanted.fd = fd_;
        wanted.what = what_;
        if (!shared.requests.leave(wanted))
            return false;
        if (shared.vacancies > 0)
            --shared.vacancies;
        return true;
    }

    const program* what_;
    int fd_;
};

/// Have the kernel start a process of `what` on the connection `fd`, which the kernel owns from now on and
/// closes if it cannot. Suspends only when the mailbox is full.
inline start_awaiter start(const program& what, int fd) noexcept
{
    return {what, fd};
}

class [[nodiscard]] vacancy_awaiter {
public:
    vacancy_awaiter(bool change, nanoseconds deadline, std::source_location where) noexcept
        : change_(change), deadline_(deadline), where_(where)
    {
    }

    bool await_ready() const noexcept
    {
        process& self = process::current();
        return self.draining() || (!change_ && self.shared().vacancies > 0);
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        process& self = process::current();
        nanoseconds deadline = deadline_;
        if (!self.shared().requests.leave({request::verb::vacancy}))
            deadline = after(self.shared().now, 1'000'000); // no room to ask: try again soon
        thread::current().block(caller, self.vacancy_waiters, {"vacancy", -1, deadline, where_});
    }
    void await_resume() const
    {
        thread::current().accept_timeout();
        thread::current().check_wake("vacancy");
    }

private:
    bool change_;
    nanoseconds deadline_;
    std::source_location where_;
};

/// Wait until the kernel may have room for a process, or the process drains; the caller looks again. Does not
/// suspend when it has.
inline vacancy_awaiter
vacancy(std::source_location where = std::source_location::current()) noexcept
{
    return {false, never, where};
}

/// Wait until some process has ended, or for `span` at most.
inline vacancy_awaiter
vacancy_change(nanoseconds span,
               std::source_location where = std::source_location::current()) noexcept
{
    return {true, after(process::current().shared().now, span), where};
}

} // namespace vk
