#pragma once

// awaitable: concepts that name what co_await takes, and what it gives.

#include <concepts>
#include <coroutine>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>

namespace vk {

template <class T>
concept awaiter = requires(T& t, std::coroutine_handle<> caller) {
    { t.await_ready() } -> std::convertible_to<bool>;
    t.await_suspend(caller);
    t.await_resume();
};

template <class T>
concept awaitable = awaiter<T> || requires(T&& t) {
    { std::forward<T>(t).operator co_await() } -> awaiter;
};

/// What co_await gives.
template <awaiter What>
using awaited_t = decltype(std::declval<What&>().await_resume());

/// A result that is kept: nothing, and what is referred to, have a value in their place.
template <class T>
using kept_t =
    std::conditional_t<std::is_void_v<T>, std::monostate,
                       std::conditional_t<std::is_reference_v<T>,
                                          std::reference_wrapper<std::remove_reference_t<T>>, T>>;

/// An awaiter that another one holds. One that cannot be moved stays in the expression that awaits both.
template <awaiter What>
using held_t = std::conditional_t<std::is_move_constructible_v<What>, What, What&>;

} // namespace vk
