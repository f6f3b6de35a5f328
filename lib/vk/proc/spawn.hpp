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

} // namespace detail

/// Start `function(arguments...)` as a thread of the process that runs; it first runs when the caller blocks
/// or yields. Its frames are carved from a page of their own. Throws heap_exhausted.
///
/// The thread may outlive the expression that spawned it, so parameters that could dangle do not compile: pass
/// values, or a pointer or std::ref where the caller vouches for the referent's life.
template <class... Parameters, class... Arguments>
thread_handle spawn(task<> (*function)(Parameters...), Arguments&&... arguments)
{
    static_assert(
        (!std::is_reference_v<Parameters> && ...),
        "a spawned thread must not take a reference: pass a value, a pointer or std::ref");
    static_assert((!detail::is_view<std::remove_cvref_t<Parameters>> && ...),
                  "a spawned thread must not take a view: pass an owning value");
    return thread_handle::start(process::current(),
                                [&] { return function(std::forward<Arguments>(arguments)...); });
}

} // namespace vk
