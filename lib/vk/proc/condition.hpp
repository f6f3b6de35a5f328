#pragma once

// condition: be told that something may have changed, and look again.

#include "vk/proc/mutex.hpp"

namespace vk {

/// What is waited for is the caller's to look at, in a loop: another thread may have been faster. A mutex that is used with
/// it must outlive it.
class condition {
public:
    /// Have who waits longest look again; does nothing where nobody waits.
    void notify_one() noexcept
    {
        if (!waiting_.empty())
            waiting_.wake_front();
    }

    void notify_all() noexcept { waiting_.wake_all(); }

    class awaiter : parked {
    public:
        awaiter(condition& of, std::source_location where) noexcept
            : parked("condition::wait", where), of_(&of)
        {
        }
        static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> caller) noexcept { park(caller, of_->waiting_); }
        void await_resume() { resume(); }

    private:
        condition* of_;
    };

    class locked_awaiter : parked {
    public:
        locked_awaiter(condition& of, mutex::guard& with, std::source_location where) noexcept
            : parked("condition::wait", where),
              of_(&of),
              with_(&with),
              by_(with.held_),
              queued_(where)
        {
        }
        static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            with_->unlock();
            park(caller, of_->waiting_, this, [](void* self) noexcept {
                return static_cast<locked_awaiter*>(self)->lock_again();
            });
        }
        void await_resume()
        {
            try {
                resume();
                queued_.resume();
            } catch (...) {
                give_up();
                throw;
            }
            *with_ = mutex::guard(by_);
        }

    private:
        // The stay in the queue for the mutex; that on the condition goes on.
        struct queued : parked {
            explicit queued(std::source_location where) noexcept : parked("condition::wait", where)
            {
            }
            using parked::is_orphaned;
            using parked::resume;
        };

        // When it has been told: in the queue for the mutex, behind those who wait there.
        progress lock_again() noexcept
        {
            if (is_orphaned())
                return progress::done;
            told_ = true;
            if (queued_.is_orphaned() || by_->take(thread::current()))
                return progress::done;
            by_->waiting_.take_over(queued_);
            return progress::blocked;
        }

        // What it was given it leaves to others: the mutex, and the word.
        void give_up() noexcept
        {
            if (!told_)
                return;
            if (!queued_.is_orphaned() && by_->owner_ == &thread::current())
                by_->hand_over();
            if (!is_orphaned())
                of_->notify_one();
        }

        condition* of_;
        mutex::guard* with_;
        mutex* by_;
        queued queued_;
        bool told_ = false;
    };

    /// Wait to be told. Always suspends. Ended early by cancellation, and by the end of the condition.
    awaiter wait(std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, where};
    }

    /// As above, with the mutex of `with` unlocked meanwhile: it must hold one, and does again when this returns. Where
    /// it is ended early `with` holds nothing any more; if it had been told, another is.
    locked_awaiter wait(mutex::guard& with,
                        std::source_location where = std::source_location::current()) noexcept
    {
        VK_REQUIRE(with.owns());
        return {*this, with, where};
    }

private:
    parking_lot waiting_;
};

} // namespace vk
