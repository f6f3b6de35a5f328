#include "vk/proc/scope.hpp"

#include "vk/base/error.hpp"

#include <coroutine>
#include <source_location>

namespace vk {
namespace {

bool is_cancellation(const std::exception_ptr& why) noexcept
{
    try {
        std::rethrow_exception(why);
    } catch (const cancelled&) {
        return true;
    } catch (...) {
        return false;
    }
}

} // namespace

class scope::ended_awaiter {
public:
    ended_awaiter(scope& of, std::source_location where) noexcept : of_(&of), where_(where) {}

    bool await_ready() const noexcept { return of_->children_.empty(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        suspended_ = true;
        of_->owner_->block(caller, of_->waiting_, {"scope", -1, never, where_});
    }
    void await_resume() const
    {
        if (suspended_)
            of_->owner_->check_wake("scope");
    }

private:
    scope* of_;
    bool suspended_ = false;
    std::source_location where_;
};

void scope::cancel() noexcept
{
    cancelled_ = true;
    for (thread& one : children_)
        one.cancel();
}

void scope::fail(std::exception_ptr why) noexcept
{
    if (!failure_)
        failure_ = std::move(why);
    cancel();
}

std::exception_ptr scope::child_ended(thread& child, std::exception_ptr why) noexcept
{
    child.child_hook::unlink();
    if (children_.empty())
        thread::wake_all(waiting_);
    if (!why || (cancelled_ && is_cancellation(why)))
        return nullptr;
    if (failure_)
        return why;
    fail(std::move(why));
    if (in_body_)
        owner_->cancel(thread::canceller::scope);
    return nullptr;
}

task<> scope::end()
{
    task<bool> settling = settle();
    if (co_await std::move(settling))
        throw cancelled("scope");
}

task<bool> scope::settle()
{
    in_body_ = false;
    // Children have deadlines of their own, of which the owner waits for the end.
    nanoseconds deadline = owner_->deadline();
    owner_->set_deadline(never);
    bool interrupted = false;
    while (!children_.empty()) {
        try {
            co_await ended_awaiter(*this, std::source_location::current());
        } catch (const cancelled&) {
            interrupted = true;
        }
        if (interrupted)
            cancel();
    }
    owner_->set_deadline(deadline);
    owner_->cancel_pending_ &=
        static_cast<std::uint8_t>(~static_cast<unsigned>(thread::canceller::scope));
    if (failure_)
        std::rethrow_exception(std::exchange(failure_, nullptr));
    co_return interrupted;
}

} // namespace vk
