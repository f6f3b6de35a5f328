#pragma once

// semaphore: a count that threads wait for, written as the library's own awaiters are: with an attempt that is
// made again before the waiter is resumed, and may fail again.

#include <vk/proc/thread.hpp>

#include <coroutine>
#include <source_location>

namespace vk::test {

class semaphore {
public:
    explicit semaphore(int count = 0) noexcept : count_(count) {}

    class awaiter {
    public:
        awaiter(semaphore& of, nanoseconds deadline, std::source_location where) noexcept
            : of_(&of), deadline_(deadline), where_(where)
        {
        }
        bool await_ready() noexcept { return attempt() == progress::done; }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            suspended_ = true;
            thread::current().block(
                caller, of_->waiters_, {"take", -1, deadline_, where_}, this,
                [](void* self) noexcept { return static_cast<awaiter*>(self)->attempt(); });
        }
        void await_resume() const
        {
            if (suspended_)
                thread::current().check_wake("take");
        }

    private:
        progress attempt() noexcept
        {
            ++of_->attempts_;
            if (of_->count_ == 0)
                return progress::blocked;
            --of_->count_;
            return progress::done;
        }

        semaphore* of_;
        nanoseconds deadline_;
        std::source_location where_;
        bool suspended_ = false;
    };

    /// Take one, or wait for it until `deadline`.
    [[nodiscard]] awaiter
    take(nanoseconds deadline = never,
         std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, deadline, where};
    }

    /// Give `count`, and have all that wait try again.
    void give(int count = 1) noexcept
    {
        count_ += count;
        thread::wake_all(waiters_);
    }

    int count() const noexcept { return count_; }
    int attempts() const noexcept { return attempts_; }
    bool waited_for() const noexcept { return !waiters_.empty(); }

private:
    int count_;
    int attempts_ = 0;
    wait_list waiters_;
};

} // namespace vk::test
