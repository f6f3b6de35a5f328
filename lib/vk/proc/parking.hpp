#pragma once

// parking: how threads of a process wait on an object of their own process.
//
// Such an object lies in the frame of one thread, and others may still use it when that frame goes, be it by an
// exception. All of them are cancelled when it goes, and none looks at it again: those who wait on it, and those who
// were woken and have not run yet. The former it finds in its list; the latter it only counts, and finds them in the
// run queue of the process when it goes before them. A list of its own for them would cost every wait two more links.

#include "vk/proc/process.hpp"

#include <coroutine>
#include <cstddef>
#include <source_location>
#include <utility>

namespace vk {

class parking_lot;

/// What awaiters that wait on an object have in common: a stay.
class [[nodiscard]] parked {
protected:
    explicit parked(std::source_location where) noexcept : where_(where) {}

    /// Suspend `caller` until it is woken in `lot`; where there is an attempt, until that is done. It is not made once the
    /// object is gone.
    void park(std::coroutine_handle<> caller, parking_lot& lot, const char* operation,
              void* awaiter = nullptr, thread::attempt_function try_again = nullptr) noexcept;

    /// The stay is over: returns whether there was one. Throws cancelled or timed_out where it was woken so, or cancelled
    /// where the object is gone. To be called before that is looked at.
    bool resume();

private:
    friend parking_lot;

    std::source_location where_;
    parking_lot* in_ = nullptr; // not looked at unless the thread was woken there: it may be gone
};

/// Threads that wait on an object, in the order in which they came. Those that do when it goes are cancelled: nobody
/// waits for ever.
///
/// Who woke has been given what it waited for. An object is fair that lets nobody take what is left until those have run.
class parking_lot {
public:
    parking_lot() noexcept = default;
    parking_lot(const parking_lot&) = delete;
    parking_lot& operator=(const parking_lot&) = delete;
    ~parking_lot()
    {
        if (!is_idle()) [[unlikely]]
            cancel_all();
    }

    /// Whether nobody waits.
    bool empty() const noexcept { return threads_.empty(); }

    /// Whether nobody is before who comes now: nobody waits, and who was woken has run.
    bool is_idle() const noexcept { return woken_ == 0 && empty(); }

    /// Who waits longest. Not for an empty one.
    thread& front() noexcept { return threads_.front(); }

    /// Have `one`, which waits here, run again. What it waited for is its own from now on: even if it is cancelled before
    /// it runs, its operation has been done.
    void wake(thread& one) noexcept
    {
        ++woken_;
        one.wake_up(wake::ready);
    }

    /// As above, who waits longest. Not for an empty one.
    void wake_front() noexcept { wake(front()); }

    void wake_all() noexcept
    {
        while (!empty())
            wake_front();
    }

    /// Wake as many as can be served, of what is `there`.
    void serve(std::size_t there) noexcept
    {
        while (woken_ < there && !empty())
            wake_front();
    }

    /// For the attempt of `stay`, which is about to answer `blocked`: the thread waits here from now on.
    void take_over(parked& stay) noexcept
    {
        --std::exchange(stay.in_, this)->woken_;
        thread::current().wait_on(threads_);
    }

    /// Have `one`, which waits elsewhere as `stay`, wait here from now on.
    void take_over(parked& stay, thread& one) noexcept
    {
        stay.in_ = this;
        one.move_to(threads_);
    }

private:
    friend parked;

    [[gnu::cold]] void cancel_all() noexcept;

    wait_list threads_;
    std::size_t woken_ = 0; // here, and have not run yet
};

inline void parked::park(std::coroutine_handle<> caller, parking_lot& lot, const char* operation,
                         void* awaiter, thread::attempt_function try_again) noexcept
{
    in_ = &lot;
    thread::current().block(caller, lot.threads_, {operation, -1, never, where_}, awaiter,
                            try_again);
}

inline bool parked::resume()
{
    if (!in_)
        return false;
    parking_lot& lot = *std::exchange(in_, nullptr);
    thread& self = thread::current();
    self.leave_list();
    self.check_wake();
    --lot.woken_;
    return true;
}

} // namespace vk
