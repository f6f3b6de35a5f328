#pragma once

// awaitable: concepts that name what co_await takes.

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

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

} // namespace vk
