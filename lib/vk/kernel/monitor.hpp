#pragma once

// monitor: be told of another process's end.
//
// As in Erlang, a monitor goes one way and there may be several; the end of a process that is no more is told at once,
// as exit_reason::kind::missing.

#include "vk/kernel/ask.hpp"
#include "vk/proc/inbox.hpp"

#include <source_location>
#include <utility>

namespace vk {

/// The id by which others may monitor, link to or stop the process that runs.
inline process_id self() noexcept
{
    return process::current().known_as();
}

/// A watch on a process, of the process that holds it. When it goes out of scope nothing is told any more. It may be
/// moved while no thread waits for it.
class [[nodiscard("a monitor that goes out of scope tells nothing")]] monitor_handle {
public:
    monitor_handle() noexcept = default;
    monitor_handle(monitor_handle&& other) noexcept { take(other); }
    monitor_handle& operator=(monitor_handle&& other) noexcept
    {
        if (this != &other) {
            forget();
            take(other);
        }
        return *this;
    }
    ~monitor_handle() { forget(); }

    /// Whom it watches.
    process_id id() const noexcept { return expected_.who; }

    /// Whether its end is known; down() then does not suspend.
    bool ended() const noexcept { return expected_.ended; }

    /// Why it ended, once ended().
    const exit_reason& reason() const noexcept { return expected_.why; }

    class [[nodiscard]] down_awaiter {
    public:
        down_awaiter(const monitor_handle& of, std::source_location where) noexcept
            : of_(&of), where_(where)
        {
        }
        bool await_ready() const noexcept { return of_->ended(); }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            auto again = [](void* self) noexcept {
                bool done = static_cast<down_awaiter*>(self)->of_->ended();
                return done ? progress::done : progress::blocked;
            };
            thread& waiter = thread::current();
            waiter.block(caller, waiter.process().told.readers, {"down", -1, never, where_}, this,
                         again);
        }
        exit_reason await_resume() const
        {
            if (!of_->ended())
                thread::current().check_wake("down");
            return of_->reason();
        }

    private:
        const monitor_handle* of_;
        std::source_location where_;
    };

    /// Wait until the process has ended; returns why. Does not suspend when that is known. Ended early by cancellation;
    /// the monitor goes on.
    down_awaiter down(std::source_location where = std::source_location::current()) const noexcept
    {
        return {*this, where};
    }

    // --- for who makes one

    expectation& expected() noexcept { return expected_; }

private:
    void take(monitor_handle& other) noexcept
    {
        expected_.swap_nodes(other.expected_);
        expected_.ticket = other.expected_.ticket;
        expected_.who = other.expected_.who;
        expected_.start_only = other.expected_.start_only;
        expected_.started = other.expected_.started;
        expected_.refused = other.expected_.refused;
        expected_.ended = other.expected_.ended;
        expected_.why = other.expected_.why;
    }

    void forget() noexcept
    {
        if (!expected_.is_linked())
            return;
        expected_.unlink();
        request wanted{request::verb::forget};
        wanted.ticket = expected_.ticket;
        bool left = process::current().shared().requests.leave(wanted);
        VK_ASSERT(left); // there is a place for each
    }

    expectation expected_;
};

class [[nodiscard]] monitor_awaiter {
public:
    explicit monitor_awaiter(const process_id& whom) noexcept
        : whom_(whom),
          ticket_(process::current().told.next_ticket()),
          asking_(request_of(whom, ticket_), true)
    {
    }

    bool await_ready() noexcept { return asking_.await_ready(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept { asking_.await_suspend(caller); }
    monitor_handle await_resume()
    {
        asking_.await_resume();
        monitor_handle made;
        made.expected().who = whom_;
        process::current().told.expect(made.expected(), ticket_);
        return made;
    }

private:
    static request request_of(const process_id& whom, std::uint64_t ticket) noexcept
    {
        request wanted{request::verb::monitor};
        wanted.whom = whom;
        wanted.ticket = ticket;
        return wanted;
    }

    process_id whom_;
    std::uint64_t ticket_;
    ask_awaiter asking_;
};

/// Watch the process `whom`, from the end of this batch of dispatches on. Suspends only when the mailbox is full. Throws
/// vk::error (EAGAIN) when the kernel has no room for another tie between processes (kernel_options::ties_max).
inline monitor_awaiter monitor(const process_id& whom) noexcept
{
    return monitor_awaiter{whom};
}

} // namespace vk
