#pragma once

// spawn: start a thread beside the one that runs, in the same process.

#include "vk/proc/thread_handle.hpp"

#include <functional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace vk {
namespace detail {

template <class T>
inline constexpr bool is_view = false;
template <class C, class Traits>
inline constexpr bool is_view<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t Extent>
inline constexpr bool is_view<std::span<T, Extent>> = true;

template <class T>
inline constexpr bool is_owned = !std::is_reference_v<T> && !is_view<std::remove_cv_t<T>>;

// Whether a coroutine's parameters are all that its frame needs.
template <class Function>
inline constexpr bool owns_parameters = false;
template <class... Parameters>
inline constexpr bool owns_parameters<task<> (*)(Parameters...)> = (is_owned<Parameters> && ...);

template <class... Arguments>
inline constexpr bool are_no_views = (!is_view<std::decay_t<Arguments>> && ...);

template <class Function, class... Arguments>
inline constexpr bool is_root =
    std::is_invocable_r_v<task<>, std::decay_t<Function>&, std::decay_t<Arguments>...>;

// What is called, and what it is given, live in this frame.
template <class Function, class... Arguments>
task<> call_owning(Function function, Arguments... arguments)
{
    task<> called = std::invoke(function, std::move(arguments)...);
    co_await std::move(called);
}

// The root task of a thread.
template <class Function, class... Arguments>
task<> make_root(Function&& function, Arguments&&... arguments)
{
    static_assert(are_no_views<Arguments...>,
                  "a spawned thread must not be given a view: pass an owning value");
    static_assert(is_root<Function, Arguments...>,
                  "a spawned thread is a task<> of these arguments; for a reference pass std::ref");
    if constexpr (requires { +function; }) {
        auto* plain = +function; // a function, or a lambda that captures nothing
        if constexpr (owns_parameters<decltype(plain)>)
            return plain(std::forward<Arguments>(arguments)...);
        else
            return call_owning<decltype(plain), std::decay_t<Arguments>...>(
                plain, std::forward<Arguments>(arguments)...);
    } else {
        return call_owning<std::decay_t<Function>, std::decay_t<Arguments>...>(
            std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    }
}

} // namespace detail

/// What can be spawned: `function(arguments...)` is a task<>, and nothing dangles that can be seen to. The thread may
/// outlive the expression that spawns it, so it has copies of its own. A parameter that is a reference to what can be
/// changed takes no copy but a std::ref, by which the caller vouches for the referent's life, as it does by a pointer or
/// a capture; a view is refused.
template <class Function, class... Arguments>
concept spawnable = detail::are_no_views<Arguments...> && detail::is_root<Function, Arguments...>;

/// Start `function(arguments...)` as a thread of the process that runs; it first runs when the caller blocks or yields.
/// The function, be it a lambda, and its arguments are copied, or moved, into the thread's frames, which are carved from
/// a page of their own. Throws heap_exhausted.
template <class Function, class... Arguments>
thread_handle spawn(Function&& function, Arguments&&... arguments)
{
    return thread_handle::start(process::current(), [&] {
        return detail::make_root(std::forward<Function>(function),
                                 std::forward<Arguments>(arguments)...);
    });
}

} // namespace vk
