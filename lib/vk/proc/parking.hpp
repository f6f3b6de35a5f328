#pragma once

// parking: how threads of a process wait on an object of their own process.
//
// Such an object lies in the frame of one thread, and others may still use it when that frame goes, be it by an
// exception. So it knows who waits on it and who was woken and has not run yet; all of them are cancelled when it goes,
// and none looks at it again.

#include "vk/proc/process.hpp"

#include <boost/intrusive/list.hpp>
#include <coroutine>
#include <cstddef>
#include <source_location>

namespace vk {

class parking_lot;

/// What awaiters that wait on an object have in common: a stay.
class [[nodiscard]] parked : public boost::intrusive::list_base_hook<
                                 boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
protected:
    parked(const char* operation, std::source_location where) noexcept
        : operation_(operation), where_(where)
    {
    }

    /// Suspend `caller` until it is woken in `lot`; where there is an attempt, until that is done.
    void park(std::coroutine_handle<> caller, parking_lot& lot, void* awaiter = nullptr,
              thread::attempt_function try_again = nullptr) noexcept;

    /// Whether the object is no more. Attempts are then done, for resume() to throw.
    bool is_orphaned() const noexcept { return orphaned_; }

    /// The stay is over: returns whether there was one. Throws cancelled or timed_out where it was woken so, or cancelled
    /// where the object is gone. To be called before that is looked at.
    bool resume()
    {
        if (!suspended_)
            return false;
        suspended_ = false;
        unlink();
        thread::current().check_wake(operation_);
        if (orphaned_) [[unlikely]]
            throw_orphaned();
        return true;
    }

private:
    friend parking_lot;

    [[noreturn, gnu::cold]] void throw_orphaned() const;

    const char* operation_;
    std::source_location where_;
    bool suspended_ = false;
    bool orphaned_ = false;
};

/// Threads that wait on an object, in the order in which they came. Those that do when it goes are cancelled: nobody
/// waits for ever.
class parking_lot {
public:
    parking_lot() noexcept = default;
    parking_lot(const parking_lot&) = delete;
    parking_lot& operator=(const parking_lot&) = delete;
    ~parking_lot();

    bool empty() const noexcept { return threads_.empty(); }

    /// Who waits longest. Not for an empty one.
    thread& front() noexcept { return threads_.front(); }

    /// Have who waits longest run again. What it waited for is its own from now on: even if it is cancelled before it
    /// runs, its operation has been done. Not for an empty one.
    void wake_front() noexcept { front().wake_up(wake::ready); }

    void wake_all() noexcept { thread::wake_all(threads_); }

    /// For an attempt that is about to answer `blocked`: the thread waits here from now on, as `stay`.
    void take_over(parked& stay) noexcept
    {
        stay.suspended_ = true;
        stays_.push_back(stay);
        thread::current().wait_on(threads_);
    }

private:
    friend parked;

    wait_list threads_;
    boost::intrusive::list<parked, boost::intrusive::constant_time_size<false>>
        stays_; // and the woken
};

/// Threads that are served in the order in which they came, each with one of what there is. Who is woken has its own
/// promised: who comes later waits, though there is some, until those who were woken have run.
class fair_lot : public parking_lot {
public:
    /// Whether nobody is before who comes now.
    bool is_idle() const noexcept { return promised_ == 0 && empty(); }

    /// Wake as many as can be served, of what is `there`.
    void serve(std::size_t there) noexcept
    {
        for (; promised_ < there && !empty(); ++promised_)
            wake_front();
    }

    bool has_promised() const noexcept { return promised_ > 0; }

    /// One who was woken takes its own now. Those who were woken for nothing come after all that were promised some.
    void keep_promise() noexcept { promised_ -= has_promised(); }

private:
    std::size_t promised_ = 0;
};

inline void parked::park(std::coroutine_handle<> caller, parking_lot& lot, void* awaiter,
                         thread::attempt_function try_again) noexcept
{
    suspended_ = true;
    lot.stays_.push_back(*this);
    thread::current().block(caller, lot.threads_, {operation_, -1, never, where_}, awaiter,
                            try_again);
}

} // namespace vk
