#pragma once

// scope: threads that do not outlive the coroutine that started them.
//
//     co_await in_scope(serve_all, ...);     task<> serve_all(scope& all, ...) { all.spawn(...); ... }
//
// in_scope() returns when its body and all children have ended. The first that fails, be it the body or a child, has
// the others cancelled, and is what in_scope() throws; there is no way out that leaves one behind. So a child may use
// what lives longer than the scope. (The body's own variables do not.)
//
// An object whose destructor waits was rejected: a destructor cannot suspend.

#include "vk/coroutine/awaitable.hpp"
#include "vk/proc/spawn.hpp"

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace vk {

class scope {
public:
    /// For in_scope() and what is built alike: who makes one awaits end() before it goes.
    scope() noexcept : owner_(&thread::current()) {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { VK_REQUIRE(children_.empty()); }

    /// Start a child, as vk::spawn(). In a scope that ends already it is cancelled from the start.
    template <class Function, class... Arguments>
    void spawn(Function&& function, Arguments&&... arguments)
    {
        start([&] {
            return detail::make_root(std::forward<Function>(function),
                                     std::forward<Arguments>(arguments)...);
        });
    }

    /// Have all children end: cancel them. That they end by vk::cancelled is no failure then.
    void cancel() noexcept;

    /// Children that have not ended. Counts them.
    std::size_t children() const noexcept { return children_.size(); }

    // --- for what is built on it

    /// Start a child whose root task `make` returns.
    template <class Make>
    void start(Make&& make);

    /// Have all children end, and end() throw `why`, unless something failed before.
    void fail(std::exception_ptr why) noexcept;

    /// Wait until the children have ended; throws the first failure. Suspends while there are any. A cancellation meanwhile
    /// cancels them, and is thrown when they have ended.
    task<> end();

    /// As end(), but returns whether there was such a cancellation.
    task<bool> settle();

    // --- for the process: `child` has ended, be it by `why`, which is returned if there was a failure before.
    std::exception_ptr child_ended(thread& child, std::exception_ptr why) noexcept;

private:
    class ended_awaiter;

    thread* owner_;
    boost::intrusive::list<thread, boost::intrusive::base_hook<child_hook>,
                           boost::intrusive::constant_time_size<false>>
        children_;
    bool cancelled_ = false;
    bool in_body_ = true; // the owner has not come to end()
    std::exception_ptr failure_;
    wait_list waiting_; // the owner
};

template <class Make>
void scope::start(Make&& make)
{
    thread& fresh = owner_->process().spawn(make);
    fresh.scope_ = this;
    children_.push_back(fresh);
    if (cancelled_)
        fresh.cancel();
}

namespace detail {

// Await `what`, and keep what it gives.
template <awaiter What>
task<> await_into(What& what, std::optional<kept_t<awaited_t<What>>>& to)
{
    if constexpr (std::is_void_v<awaited_t<What>>) {
        co_await what;
        to.emplace();
    } else {
        to.emplace(co_await what);
    }
}

template <class Body, class... Arguments>
using body_result = typename std::invoke_result_t<Body&, scope&, Arguments...>::value_type;

} // namespace detail

/// Run `body(scope, arguments...)`, which returns a task<T>, and wait for it and for all that it spawns in the scope;
/// returns what the body does. Suspends as they do. When one fails, or the caller is cancelled, the others are
/// cancelled; the first failure is thrown when all have ended. Children have the deadline of the caller. To be awaited
/// where it is called, for the arguments are passed on as they are.
template <class Body, class... Arguments>
task<detail::body_result<Body, Arguments...>> in_scope(Body body, Arguments&&... arguments)
{
    using result = detail::body_result<Body, Arguments...>;
    scope children;
    std::optional<kept_t<result>> made;
    try {
        task<result> running = body(children, std::forward<Arguments>(arguments)...);
        task<> keeping = detail::await_into(running, made);
        co_await std::move(keeping);
    } catch (...) {
        children.fail(std::current_exception());
    }
    task<> ending = children.end();
    co_await std::move(ending);
    if constexpr (!std::is_void_v<result>)
        co_return static_cast<result>(std::move(*made));
}

} // namespace vk
