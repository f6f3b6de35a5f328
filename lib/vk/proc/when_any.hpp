#pragma once

// when_any: await several things at once, and go on when one is done.
//
// Nothing is left behind: the others are cancelled, and awaited. One of them may have been done by then, since all that
// happens in a dispatch happens at once: its result is there as well, so that what was read is not lost.

#include "vk/base/error.hpp"
#include "vk/proc/when_all.hpp"

#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

namespace vk {

/// What when_any() gives.
template <class... T>
class raced {
public:
    /// The number of the first that was done, from 0.
    std::size_t first() const noexcept { return first_; }

    /// What the one with this number gave; nothing where it was cancelled.
    template <std::size_t Index>
    auto& get() noexcept
    {
        return std::get<Index>(results_);
    }

    /// Whether that is there.
    template <std::size_t Index>
    bool has() const noexcept
    {
        return std::get<Index>(results_).has_value();
    }

    // --- for when_any()

    raced() noexcept = default;
    std::tuple<std::optional<T>...>& results() noexcept { return results_; }

    /// Whether `index` is the first.
    bool finish(std::size_t index) noexcept
    {
        if (first_ == none)
            first_ = index;
        return first_ == index;
    }
    bool is_decided() const noexcept { return first_ != none; }

private:
    static constexpr std::size_t none = ~std::size_t{0};

    std::size_t first_ = none;
    std::tuple<std::optional<T>...> results_;
};

namespace detail {

template <awaiter... What>
using race = raced<kept_t<awaited_t<What>>...>;

template <std::size_t Index, awaiter What, class Race>
task<> run_branch(What& what, Race& in, scope& of)
{
    if (in.is_decided())
        co_return;
    try {
        task<> awaiting = await_into(what, std::get<Index>(in.results()));
        co_await std::move(awaiting);
    } catch (const cancelled&) {
        if (in.is_decided())
            co_return; // it has lost
        throw;
    } catch (const timed_out&) {
        of.cancel(); // which is a failure where none is done
        co_return;
    }
    if (in.finish(Index))
        of.cancel();
}

template <awaiter... What>
task<race<What...>> await_any(held_t<What>... what)
{
    std::tuple<What&...> all(what...);
    race<What...> made;
    scope branches;
    start_each(branches, std::index_sequence_for<What...>(),
               [&](auto index) { return run_branch<index>(std::get<index>(all), made, branches); });
    task<bool> settling = branches.settle();
    const bool interrupted = co_await std::move(settling);
    if (!made.is_decided()) {
        if (interrupted)
            throw cancelled("when_any");
        throw timed_out("when_any");
    }
    if (interrupted)
        thread::current().cancel(); // it came too late, and ends the next operation
    co_return made;
}

} // namespace detail

/// Await all of `what`, tasks or calls of blocking operations, until one is done; the others are cancelled and have ended
/// when this returns. One that fails, too, has the others cancelled, and is thrown. A cancellation of the caller, or a
/// deadline, that comes when one is done already ends the next operation, as ever. Each takes a thread and a page of the
/// heap meanwhile; throws heap_exhausted. Always suspends. To be awaited where it is called.
///
/// No byte is lost with an operation that was cancelled (socket::read() leaves all in place); with a task that had read
/// some when it was, what it makes of that is its own matter.
template <awaiter... What>
    requires((!std::is_reference_v<What> && ...) && sizeof...(What) > 0)
auto when_any(What&&... what)
{
    return detail::await_any<What...>(static_cast<held_t<What>&&>(what)...);
}

} // namespace vk
