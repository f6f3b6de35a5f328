#pragma once

// timeout: a deadline for all that a thread waits for meanwhile.

#include "vk/base/os.hpp"
#include "vk/coroutine/awaitable.hpp"
#include "vk/proc/thread.hpp"

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace vk {

/// The deadline of the thread that runs, from which it is restored.
class deadline_scope {
public:
    deadline_scope() noexcept = default;
    deadline_scope(deadline_scope&& other) noexcept
        : within_(std::exchange(other.within_, nullptr)), before_(other.before_)
    {
    }
    deadline_scope& operator=(deadline_scope&&) = delete;
    ~deadline_scope()
    {
        if (within_)
            within_->set_deadline(before_);
    }

    /// From now on the thread has until `until`, if it had longer.
    void enter(nanoseconds until) noexcept
    {
        within_ = &thread::current();
        before_ = within_->deadline();
        within_->set_deadline(std::min(before_, until));
    }

private:
    thread* within_ = nullptr;
    nanoseconds before_ = never;
};

template <awaiter Awaiter>
class [[nodiscard("nothing is done until it is awaited")]] timeout_awaiter {
public:
    timeout_awaiter(std::chrono::nanoseconds span, Awaiter&& what)
        : span_(span.count()), what_(static_cast<held_t<Awaiter>&&>(what))
    {
    }

    bool await_ready()
    {
        scope_.enter(after(os::now(), span_));
        return what_.await_ready();
    }
    auto await_suspend(std::coroutine_handle<> caller) { return what_.await_suspend(caller); }
    decltype(auto) await_resume()
    {
        deadline_scope ending(std::move(scope_));
        return what_.await_resume();
    }

private:
    nanoseconds span_;
    deadline_scope scope_;
    held_t<Awaiter> what_;
};

/// Await `what`, a task or the call of a blocking operation, for `span` at most: `co_await vk::timeout(5s, ask(io))`.
/// Whatever it waits for when that has passed ends by vk::timed_out, and so does what it waits for after that. Threads
/// that are spawned meanwhile have the same deadline, for all of their life. Within another timeout the earlier one holds.
/// What never waits, or only yields, is not ended. Suspends as `what` does. To be awaited where it is called.
template <awaiter Awaiter>
    requires(!std::is_reference_v<Awaiter>)
timeout_awaiter<Awaiter> timeout(std::chrono::nanoseconds span, Awaiter&& what)
{
    return {span, std::forward<Awaiter>(what)};
}

} // namespace vk
