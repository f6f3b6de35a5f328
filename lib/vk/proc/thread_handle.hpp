#pragma once

// thread_handle: a spawned thread, for who spawned it.
//
// The owner joins or cancels it. A handle that goes out of scope lets the thread run on, owned by its process:
// an exception that escapes it then ends the process, as one that escapes the first thread does.

#include "vk/proc/process.hpp"

#include <source_location>
#include <utility>

namespace vk {

class [[nodiscard("dropping the handle lets the thread run on unattended")]] thread_handle {
public:
    /// Of no thread; what is done with it is the caller's bug, but to ask whether it has ended.
    thread_handle() noexcept = default;
    thread_handle(thread_handle&& other) noexcept : thread_(std::exchange(other.thread_, nullptr))
    {
    }
    thread_handle& operator=(thread_handle&& other) noexcept
    {
        std::swap(thread_, other.thread_);
        return *this;
    }
    ~thread_handle() { detach(); }

    class join_awaiter {
    public:
        join_awaiter(thread& joined, std::source_location where) noexcept
            : joined_(&joined), where_(where)
        {
        }
        bool await_ready() const noexcept { return joined_->ended(); }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            suspended_ = true;
            thread::current().block(caller, joined_->joiners_, {"join", -1, never, where_});
        }
        void await_resume() const
        {
            if (suspended_)
                thread::current().check_wake("join");
            if (joined_->failure_)
                std::rethrow_exception(joined_->failure_);
        }

    private:
        thread* joined_;
        bool suspended_ = false;
        std::source_location where_;
    };

    /// Wait until the thread has ended; throws what escaped it. Suspends unless it has ended already. Ended
    /// early by cancelling the caller; the thread then runs on.
    join_awaiter join(std::source_location where = std::source_location::current()) const noexcept
    {
        VK_REQUIRE(thread_ != nullptr);
        return {*thread_, where};
    }

    class call_awaiter {
    public:
        call_awaiter(thread& called, std::source_location where) noexcept
            : called_(&called), where_(where)
        {
        }
        bool await_ready() const noexcept
        {
            called_->play();
            return called_->ended();
        }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            suspended_ = true;
            thread::current().block_until_played(caller, called_->joiners_,
                                                 {"call", -1, never, where_});
        }
        void await_resume() const
        {
            if (suspended_)
                thread::current().check_wake("call");
        }

    private:
        thread* called_;
        bool suspended_ = false;
        std::source_location where_;
    };

    /// Play the thread and pause until the caller is played, by it or by another; or until it has ended, in which case
    /// nobody might. Ended early by cancelling the caller. The handle must stay meanwhile.
    call_awaiter call(std::source_location where = std::source_location::current()) const noexcept
    {
        VK_REQUIRE(thread_ != nullptr);
        return {*thread_, where};
    }

    /// Have it run on if it is in vk::pause() or call(); returns whether it was.
    bool play() const noexcept
    {
        VK_REQUIRE(thread_ != nullptr);
        return thread_->play();
    }

    /// End the operation in which it blocks, or the next, by vk::cancelled.
    void cancel() const noexcept
    {
        VK_REQUIRE(thread_ != nullptr);
        if (!thread_->ended())
            thread_->cancel();
    }

    bool ended() const noexcept { return !thread_ || thread_->ended(); }

    /// Let the thread run on without its handle.
    void detach() noexcept
    {
        thread* one = std::exchange(thread_, nullptr);
        if (!one)
            return;
        one->held_ = false;
        if (one->ended())
            one->process().free_thread(*one);
    }

    /// Spawn: a thread of `owner` whose root task `make` returns.
    template <class Make>
    static thread_handle start(process& owner, Make&& make)
    {
        thread& fresh = owner.spawn(make);
        fresh.held_ = true;
        return thread_handle{fresh};
    }

private:
    explicit thread_handle(thread& one) noexcept : thread_(&one) {}

    thread* thread_ = nullptr;
};

} // namespace vk
