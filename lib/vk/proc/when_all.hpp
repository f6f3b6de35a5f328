#pragma once

// when_all: await several things at once, and go on when all are done.

#include "vk/proc/scope.hpp"

#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

namespace vk {
namespace detail {

// Start a child for each index; `make`, given one, returns its root task.
template <std::size_t... Index, class Make>
void start_each(scope& in, std::index_sequence<Index...>, Make&& make)
{
    try {
        (in.start([&] { return make(std::integral_constant<std::size_t, Index>()); }), ...);
    } catch (...) {
        in.fail(std::current_exception());
    }
}

template <awaiter... What>
task<std::tuple<kept_t<awaited_t<What>>...>> await_all(held_t<What>... what)
{
    std::tuple<What&...> all(what...);
    std::tuple<std::optional<kept_t<awaited_t<What>>>...> made;
    scope branches;
    start_each(branches, std::index_sequence_for<What...>(),
               [&](auto index) { return await_into(std::get<index>(all), std::get<index>(made)); });
    task<> ending = branches.end();
    co_await std::move(ending);
    co_return std::apply(
        [](auto&... each) { return std::tuple<kept_t<awaited_t<What>>...>(std::move(*each)...); },
        made);
}

} // namespace detail

/// Await all of `what`, tasks or calls of blocking operations, each in a thread of its own: as
/// `co_await vk::when_all(io.readline(), other.flush())`. Returns what they give, in a tuple, where std::monostate
/// stands for nothing and std::reference_wrapper for a reference. The first that fails has the others cancelled, and is
/// thrown when they have ended. Each takes a page of the heap meanwhile; throws heap_exhausted. Always suspends. To be
/// awaited where it is called.
template <awaiter... What>
    requires(!std::is_reference_v<What> && ...)
auto when_all(What&&... what)
{
    return detail::await_all<What...>(static_cast<held_t<What>&&>(what)...);
}

} // namespace vk
