#pragma once

// condition: be told that something may have changed, and look again.

#include "vk/proc/mutex.hpp"

#include <boost/intrusive/list.hpp>

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
        awaiter(condition& of, std::source_location where) noexcept : parked(where), of_(&of) {}
        static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, of_->waiting_, "condition::wait");
        }
        void await_resume() { resume(); }

    private:
        condition* of_;
    };

    class locked_awaiter : parked,
                           public boost::intrusive::list_base_hook<
                               boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    public:
        locked_awaiter(condition& of, mutex::guard& with, std::source_location where) noexcept
            : parked(where), of_(&of), with_(&with), by_(with.held_)
        {
        }
        static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            with_->unlock();
            park(caller, of_->waiting_, "condition::wait", this, [](void* self) noexcept {
                return static_cast<locked_awaiter*>(self)->lock_again();
            });
        }
        void await_resume()
        {
            try {
                resume();
            } catch (...) {
                leave_word();
                throw;
            }
            unlink();
            if (!of_)
                give_up();
            *with_ = mutex::guard(by_);
        }

    private:
        friend condition;

        // When it has been told: in the queue for the mutex, behind those who wait there.
        progress lock_again() noexcept
        {
            if (by_->take(thread::current()))
                return progress::done;
            of_->told_.push_back(*this);
            by_->waiting_.take_over(*this);
            return progress::blocked;
        }

        // It was told, and has not got the mutex: another is.
        void leave_word() noexcept
        {
            if (!is_linked())
                return;
            unlink();
            of_->notify_one();
        }

        // The condition is gone: the mutex, which it has got, it leaves to others.
        [[noreturn]] void give_up();

        condition* of_; // null: it went while this waited for the mutex
        mutex::guard* with_;
        mutex* by_;
    };

    condition() noexcept = default;
    condition(const condition&) = delete;
    condition& operator=(const condition&) = delete;
    ~condition()
    {
        told_.clear_and_dispose([](locked_awaiter* one) { one->of_ = nullptr; });
    }

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
    boost::intrusive::list<locked_awaiter, boost::intrusive::constant_time_size<false>>
        told_; // who waits for the mutex again
};

} // namespace vk
