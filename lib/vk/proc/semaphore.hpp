#pragma once

// semaphore: a number of units that threads of the process take and give back.

#include "vk/proc/parking.hpp"

#include <cstddef>

namespace vk {

/// Fair: units are handed to those who wait in the order in which they came, and nobody takes one meanwhile.
class semaphore {
public:
    explicit semaphore(std::size_t units = 0) noexcept : units_(units) {}

    /// What can be taken without waiting.
    std::size_t units() const noexcept { return units_; }

    /// Take a unit if there is one; returns whether there was.
    bool try_acquire() noexcept
    {
        if (units_ == 0)
            return false;
        --units_;
        return true;
    }

    /// Give `units`, be they taken before or new.
    void release(std::size_t units = 1) noexcept
    {
        for (; units > 0 && !waiting_.empty(); --units)
            waiting_.wake_front();
        units_ += units;
    }

    class awaiter : parked {
    public:
        awaiter(semaphore& of, std::source_location where) noexcept : parked(where), of_(&of) {}
        bool await_ready() const noexcept { return of_->try_acquire(); }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, of_->waiting_, "semaphore::acquire");
        }
        void await_resume() { resume(); }

    private:
        semaphore* of_;
    };

    /// Take a unit. Suspends where there is none. Ended early by cancellation, and by the end of the semaphore; no
    /// unit has been taken then.
    awaiter acquire(std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, where};
    }

private:
    std::size_t units_; // none while somebody waits
    parking_lot waiting_;
};

} // namespace vk
