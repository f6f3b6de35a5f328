#pragma once

// event: something that happens, for which threads of the process wait.

#include "vk/proc/parking.hpp"

namespace vk {

/// Stays set until it is reset, and lets all pass meanwhile.
class event {
public:
    explicit event(bool set = false) noexcept : set_(set) {}

    bool is_set() const noexcept { return set_; }

    /// Let through who waits, and who comes from now on. Whoever waited goes on, be it reset before it runs.
    void set() noexcept
    {
        set_ = true;
        waiting_.wake_all();
    }

    void reset() noexcept { set_ = false; }

    class awaiter : parked {
    public:
        awaiter(event& of, std::source_location where) noexcept : parked(where), of_(&of) {}
        bool await_ready() const noexcept { return of_->is_set(); }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, of_->waiting_, "event::wait");
        }
        void await_resume() { resume(); }

    private:
        event* of_;
    };

    /// Wait until it is set. Does not suspend when it is. Ended early by cancellation, and by the end of the event.
    awaiter wait(std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, where};
    }

private:
    bool set_;
    parking_lot waiting_;
};

} // namespace vk
