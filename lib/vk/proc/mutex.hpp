#pragma once

// mutex: what one thread of the process does at a time, across the places where it blocks.
//
// Between two of those nothing else of the process runs, and no mutex is needed.

#include "vk/proc/parking.hpp"

#include <utility>

namespace vk {

/// Fair: it is handed to those who wait in the order in which they came.
class mutex {
public:
    /// Holds the mutex until it goes out of scope, or is unlocked. Where the mutex goes before it, it holds none. It stays
    /// with the thread that locked.
    class [[nodiscard("a guard that goes out of scope unlocks")]] guard {
    public:
        guard() noexcept = default;
        guard(guard&& other) noexcept { hold(std::exchange(other.held_, nullptr)); }
        guard& operator=(guard&& other) noexcept
        {
            if (this != &other) {
                unlock();
                hold(std::exchange(other.held_, nullptr));
            }
            return *this;
        }
        ~guard() { unlock(); }

        bool owns() const noexcept { return held_ != nullptr; }
        explicit operator bool() const noexcept { return owns(); }

        /// Does nothing where it holds no mutex.
        void unlock() noexcept
        {
            if (mutex* one = std::exchange(held_, nullptr))
                one->hand_over();
        }

    private:
        friend class mutex;
        friend class condition;
        explicit guard(mutex* held) noexcept { hold(held); }

        void hold(mutex* one) noexcept
        {
            held_ = one;
            if (one)
                one->holder_ = this;
        }

        mutex* held_ = nullptr;
    };

    mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    ~mutex()
    {
        if (holder_)
            holder_->held_ = nullptr;
    }

    bool is_locked() const noexcept { return owner_ != nullptr; }

    /// Lock it if nobody has: the guard says so.
    guard try_lock() noexcept
    {
        return guard(!is_locked() && take(thread::current()) ? this : nullptr);
    }

    class awaiter : parked {
    public:
        awaiter(mutex& of, std::source_location where) noexcept : parked(where), of_(&of) {}
        bool await_ready() const
        {
            of_->refuse_owner();
            return of_->take(thread::current());
        }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, of_->waiting_, "mutex::lock");
        }
        guard await_resume()
        {
            resume();
            return guard(of_);
        }

    private:
        mutex* of_;
    };

    /// Lock it. Suspends while another thread holds it. Ended early by cancellation, and by the end of the mutex; throws
    /// vk::error (EDEADLK) where the caller holds it already.
    awaiter lock(std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, where};
    }

private:
    friend class condition;

    // Whether `one` holds it now, or did.
    bool take(thread& one) noexcept
    {
        if (!owner_)
            owner_ = &one;
        return owner_ == &one;
    }

    void hand_over() noexcept
    {
        holder_ = nullptr;
        owner_ = waiting_.empty() ? nullptr : &waiting_.front();
        if (owner_)
            waiting_.wake_front();
    }

    void refuse_owner() const;

    thread* owner_ = nullptr;
    guard* holder_ = nullptr; // none until a new owner has run
    parking_lot waiting_;
};

} // namespace vk
