#pragma once

// thread: a micro-thread, which is a root coroutine and its frame stack, scheduled by its process.
//
// It lives in its process's heap. It is in one of three states: ready (in the process's run queue), running,
// or blocked (in one wait list, and in the process's timers when it has a deadline).
//
// The blocking protocol. An awaiter that cannot complete calls block() from await_suspend with an attempt
// function. When what it waits for has come, the thread is queued; before it is resumed the attempt runs, and
// only if it is done is the coroutine resumed, so that await_resume need not be able to suspend again. A
// thread that is woken by its deadline or by cancel() has left every list before its exception is thrown.

#include "vk/coroutine/task.hpp"
#include "vk/proc/timers.hpp"
#include "vk/proc/wait.hpp"

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

namespace vk {

class error_handler;
class process;
class scope;

using member_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<member_tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

using child_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<child_tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class thread final : public context,
                     public queue_hook,
                     public member_hook,
                     public child_hook,
                     public timer {
public:
    using wait_list = boost::intrusive::list<thread, boost::intrusive::base_hook<queue_hook>,
                                             boost::intrusive::constant_time_size<false>>;
    using attempt_function = progress (*)(void* awaiter) noexcept;

    /// The thread that runs. Calling it outside of a dispatch is the caller's bug.
    static thread& current() noexcept { return static_cast<thread&>(context::current()); }

    class process& process() const noexcept { return *process_; }

    /// Number within the process, from 1.
    std::uint32_t id() const noexcept { return id_; }

    bool blocked() const noexcept { return woken_ == wake::not_yet; }

    /// What it waits for, while it is blocked.
    const wait& waits_for() const noexcept { return wait_; }

    bool ended() const noexcept { return ended_; }

    /// When all that it waits for ends by timed_out, at the latest.
    nanoseconds deadline() const noexcept { return deadline_; }
    void set_deadline(nanoseconds until) noexcept { deadline_ = until; }

    /// End the operation in which the thread is blocked, or the next in which it blocks, by vk::cancelled.
    void cancel() noexcept { cancel(canceller::anyone); }

    /// Have it run on if it is in pause() or call(); returns whether it was. It runs when the caller blocks.
    bool play() noexcept;

    // --- for awaiters, from await_suspend and await_resume

    /// Suspend `caller` until `on` is woken, `what.deadline` passes or the thread is cancelled. `try_again`,
    /// called with `awaiter`, decides whether it is resumed; null resumes it always.
    void block(std::coroutine_handle<> caller, wait_list& on, const wait& what,
               void* awaiter = nullptr, attempt_function try_again = nullptr) noexcept
    {
        prepare(caller, on, what, awaiter, try_again);
        wait_on_list();
    }

    /// Suspend `caller` and queue the thread at the tail of the run queue.
    void yield(std::coroutine_handle<> caller) noexcept;

    /// As yield(), with an attempt before it is resumed, as block() does, which blocks in `on`.
    void yield(std::coroutine_handle<> caller, wait_list& on, const wait& what, void* awaiter,
               attempt_function try_again) noexcept
    {
        prepare(caller, on, what, awaiter, try_again);
        woken_ = wake::ready;
        queue();
    }

    /// For an attempt that got on with its operation but has not done it: wait anew, until `until`.
    void renew_deadline(nanoseconds until) noexcept { wait_.deadline = std::min(until, deadline_); }

    /// For an attempt, be it the first, that is about to answer `blocked`, on what will not wake it: make it again at
    /// `at`.
    void try_again_at(nanoseconds at) noexcept { try_again_ = at; }

    /// For an attempt that is about to answer `blocked`: wait in `on` from now on.
    void wait_on(wait_list& on) noexcept { waits_on_ = &on; }

    /// Whether check_wake() would throw.
    bool woken_early() const noexcept { return woken_ != wake::ready; }

    /// What it was blocked with, for whom it waits for to find. Only for a blocked thread.
    void* awaiter() const noexcept { return awaiter_; }

    /// Have a blocked thread wait in `on` instead.
    void move_to(wait_list& on) noexcept
    {
        queue_hook::unlink();
        waits_on_ = &on;
        on.push_back(*this);
    }

    /// For who has run since it was woken: the list that it waited in may go.
    void leave_list() noexcept { waits_on_ = nullptr; }

    /// Have those that were woken in `list`, and have not left it, find that they were cancelled: for the end of what
    /// they would look at. Their attempts are not made.
    [[gnu::cold]] static void cancel_woken(const wait_list& list) noexcept;

    /// Throw timed_out or cancelled when the thread was woken so; `operation` names what ended.
    void check_wake(const char* operation)
    {
        if (woken_early()) [[unlikely]]
            throw_wake(operation);
    }
    void check_wake() { check_wake(wait_.operation); }

    /// For an awaiter that waits for its deadline: having been woken by it is no error, if it is earlier than that of the
    /// thread.
    void accept_timeout() noexcept
    {
        if (woken_ == wake::timed_out && wait_.deadline < deadline_)
            woken_ = wake::ready;
    }

    /// Move the thread from where it waits to the run queue. Only for a blocked thread.
    void wake_up(wake why) noexcept;

    /// Wake all that wait in `list`.
    static void wake_all(wait_list& list) noexcept
    {
        while (!list.empty())
            list.front().wake_up(wake::ready);
    }

    // --- for pause() and call()

    /// As block(), until play(); `on` may wake it as well.
    void block_until_played(std::coroutine_handle<> caller, wait_list& on,
                            const wait& what) noexcept
    {
        block(caller, on, what, &pausing_mark);
    }

    // --- for handlers of errors

    /// The innermost handler of errors that may be resumed, or null.
    error_handler*& handlers() noexcept { return handlers_; }

private:
    friend class process;
    friend class scope;
    friend class thread_handle;

    static constinit inline char pausing_mark =
        0; // is the awaiter of those that are blocked until they are played

    // Who wants an operation ended that has not begun yet. A scope takes that back when it ends.
    enum class canceller : std::uint8_t { anyone = 1, scope = 2 };

    thread(class process& owner, std::uint32_t id, heap& pages, heap::room room) noexcept
        : context(pages, room), process_(&owner), id_(id)
    {
    }

    void cancel(canceller by) noexcept;
    // Whether the coroutine may be resumed; if not, the thread waits or is queued again.
    bool attempt() noexcept
    {
        const progress how = attempt_(awaiter_);
        if (how != progress::done)
            return try_later(how), false;
        attempt_ = nullptr;
        return true;
    }
    void try_later(progress how) noexcept;
    void prepare(std::coroutine_handle<> caller, wait_list& on, const wait& what, void* awaiter,
                 attempt_function try_again) noexcept
    {
        resume_later(caller);
        wait_ = what;
        wait_.deadline = std::min(what.deadline, deadline_);
        waits_on_ = &on;
        awaiter_ = awaiter;
        attempt_ = try_again;
    }
    void wait_on_list() noexcept
    {
        woken_ = wake::not_yet;
        waits_on_->push_back(*this);
        const nanoseconds until = std::min(wait_.deadline, try_again_);
        if (until != never)
            arm(until);
        if (cancel_pending_) [[unlikely]]
            end_at_once();
    }
    void arm(nanoseconds until) noexcept;
    void disarm() noexcept;
    [[gnu::cold]] void end_at_once() noexcept;
    void expire(nanoseconds now) noexcept;
    void queue() noexcept;
    [[noreturn, gnu::cold]] void throw_wake(const char* operation);

    class process* process_;
    std::uint32_t id_;
    wake woken_ = wake::ready;
    std::uint8_t cancel_pending_ = 0; // a set of cancellers
    bool ended_ = false;
    bool held_ = false; // a thread_handle refers to it
    attempt_function attempt_ = nullptr;
    void* awaiter_ = nullptr;
    wait_list* waits_on_ = nullptr; // where it links itself again when an attempt fails
    wait wait_;
    nanoseconds try_again_ = never;
    nanoseconds deadline_ = never;
    scope* scope_ = nullptr;            // whose child it is
    error_handler* handlers_ = nullptr; // in its frames
    task<> root_;
    std::exception_ptr failure_; // what escaped, for join()
    wait_list joiners_;
};

using wait_list = thread::wait_list;

} // namespace vk
