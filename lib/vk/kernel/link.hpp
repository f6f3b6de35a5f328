#pragma once

// link: two processes that end with each other.
//
// As in Erlang, a link goes both ways, there is one between two processes at most, and the normal end of one is nothing
// to the other. Any other end ends the other as well, with the same reason, and so on along its links. A process cannot
// trap that: who wants to live on when another fails monitors it.

#include "vk/kernel/ask.hpp"

namespace vk {

/// Link the process that runs to `whom`, from the end of this batch of dispatches on. When either ends other than
/// normally the other is cancelled, is discarded if it has not ended after limits::shutdown_ms_default, and has the
/// same reason. If there is no `whom` any more that is the caller's process, whose reason is
/// exit_reason::kind::missing. Suspends and throws as monitor() does.
inline ask_awaiter link(const process_id& whom) noexcept
{
    request wanted{request::verb::link};
    wanted.whom = whom;
    return ask(wanted, true);
}

/// Let it be.
inline ask_awaiter unlink(const process_id& whom) noexcept
{
    request wanted{request::verb::unlink};
    wanted.whom = whom;
    return ask(wanted, false);
}

} // namespace vk
