#pragma once

// pipeline: stages through which passes what a socket writes.
//
//     service ──io──> stage ──> client          before: service ──io──> client
//
// As in a shell, each stage is a thread with a socket of its own: it reads what the stage before it writes, and writes
// to the next. The rings are handed over from one to the other; where a stage does not keep up the one before it waits,
// and so back to the service. The end of the output passes through: the stage reads it as its end, and when it returns
// what it wrote is flushed and its own output ended.

#include "vk/io/socket.hpp"
#include "vk/proc/spawn.hpp"

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace vk {
namespace detail {

struct stage_deleter {
    void operator()(socket* io) const noexcept
    {
        io->~socket();
        frame_stack::release(io);
    }
};

/// The socket of a stage, carved from the frames of its thread.
using stage_socket = std::unique_ptr<socket, stage_deleter>;

/// In the frames of the thread that is being made.
stage_socket make_stage_socket();

/// Behind the last word of a stage: flush, and pass the end on.
task<> end_stage(socket& io);

template <class Function, class... Arguments>
task<> run_stage(stage_socket io, Function function, Arguments... arguments)
{
    task<> running = std::invoke(function, *io, std::move(arguments)...);
    co_await std::move(running);
    task<> ending = end_stage(*io);
    co_await std::move(ending);
}

} // namespace detail

/// Start `function(socket&, arguments...)` as a stage between `io` and what it writes to: from now on the stage reads
/// what `io` writes, and writes to where that went. What was written before goes out first. A further stage comes between
/// `io` and this one; a stage may start stages behind itself.
///
/// The stage ends the pipeline's output when it returns, be it before the end of what it reads; a write to `io` throws
/// EPIPE then. The service ends its own by tx_close(), or by returning. `io` must be bound, and nobody blocked in
/// writing it; what it is bound to must outlive the stage. The rest as vk::spawn().
template <class Function, class... Arguments>
thread_handle spawn_pipeline(socket& io, Function&& function, Arguments&&... arguments)
{
    static_assert(detail::are_no_views<Arguments...>,
                  "a stage must not be given a view: pass an owning value");
    static_assert(
        std::is_invocable_r_v<task<>, std::decay_t<Function>&, socket&, std::decay_t<Arguments>...>,
        "a stage is a task<> of a socket& and these arguments; for a reference pass std::ref");
    return thread_handle::start(io.owner(), [&] {
        detail::stage_socket made = detail::make_stage_socket();
        socket& stage = *made;
        task<> root = detail::run_stage<std::decay_t<Function>, std::decay_t<Arguments>...>(
            std::move(made), std::forward<Function>(function),
            std::forward<Arguments>(arguments)...);
        stage.take_output(io);
        return root;
    });
}

} // namespace vk
