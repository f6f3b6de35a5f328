#pragma once

// start_process: a process that starts another.
//
// Who starts a process waits until its first thread has run up to where it first blocks, or learns that there is no
// place or no memory for it. That cannot be ended early: a process of which nobody knows would be left behind. A
// cancellation that comes meanwhile ends the next operation in which the caller blocks.

#include "vk/kernel/monitor.hpp"
#include "vk/kernel/program.hpp"

namespace vk {
namespace detail {

class [[nodiscard]] answer_awaiter {
public:
    answer_awaiter(const expectation& to, std::source_location where) noexcept
        : to_(&to), where_(where)
    {
    }
    bool await_ready() const noexcept { return to_->started || to_->refused; }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        auto again = [](void* self) noexcept {
            bool done = static_cast<answer_awaiter*>(self)->await_ready();
            return done ? progress::done : progress::blocked;
        };
        thread& waiter = thread::current();
        waiter.block(caller, waiter.process().told.readers, {"start a process", -1, never, where_},
                     this, again);
    }
    /// Whether the caller was cancelled meanwhile.
    static bool await_resume()
    {
        try {
            thread::current().check_wake("start a process");
        } catch (const cancelled&) {
            return true;
        }
        return false;
    }

private:
    const expectation* to_;
    std::source_location where_;
};

inline task<monitor_handle> start_tied(const program* what, bond how, std::source_location where)
{
    monitor_handle made;
    expectation& answer = made.expected();
    answer.start_only = how == bond::starter;
    request wanted{request::verb::bear};
    wanted.what = what;
    wanted.how = how;
    wanted.ticket = process::current().told.next_ticket();
    co_await ask(wanted, true);
    process::current().told.expect(answer, wanted.ticket);

    bool told_to_end = false;
    while (!answer.started && !answer.refused) {
        bool cancelled_now = co_await answer_awaiter(answer, where);
        told_to_end = told_to_end || cancelled_now;
    }
    if (told_to_end)
        thread::current().cancel();
    if (answer.refused)
        throw error(answer.why.code, "start a process");
    co_return std::move(made);
}

} // namespace detail

/// Start a process of `what`, which must outlive it and lie outside of all heaps. Returns its id when its first thread
/// has been started and run. Throws vk::error when there is no place (EAGAIN) or no memory (ENOMEM) for it.
inline task<process_id> start_process(const program& what,
                                      std::source_location where = std::source_location::current())
{
    monitor_handle made = co_await detail::start_tied(&what, bond::starter, where);
    co_return made.id();
}

/// As start_process(), and monitor it from its start on: its end is not missed, however soon it comes.
inline task<monitor_handle>
start_monitored(const program& what, std::source_location where = std::source_location::current())
{
    return detail::start_tied(&what, bond::monitor, where);
}

/// As start_monitored(), for who looks after it: the process ends with the caller's, and when the kernel drains it is not
/// told so, since its parent ends it in its turn.
inline task<monitor_handle>
start_child(const program& what, std::source_location where = std::source_location::current())
{
    return detail::start_tied(&what, bond::parent, where);
}

} // namespace vk
