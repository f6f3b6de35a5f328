#pragma once

// wait: what a blocked thread waits for, as a value.
//
// A console, a log line or a debugger can say of each thread: "read fd 7 at echo.cpp:12".

#include "vk/base/time.hpp"

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <source_location>

namespace vk {

class thread;

struct wait {
    const char* operation = ""; // "read", "sleep"
    int fd = -1;
    nanoseconds deadline = never;
    std::source_location where;
};

/// How an attempt to finish a blocking operation went.
enum class progress : std::uint8_t {
    done,    // the awaiter can return, be it with an error
    blocked, // it needs what it waits for
    spent,   // the process has used up this dispatch's budget
};

/// Why a blocked thread runs again, if it does yet.
enum class wake : std::uint8_t { ready, timed_out, cancelled, not_yet };

struct queue_tag;
struct member_tag;
struct child_tag;

/// A thread is its own node, of the run queue or of the one list in which it waits: it blocks on one thing at
/// a time, and leaving whichever list it is in needs no search.
using queue_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<queue_tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

} // namespace vk
