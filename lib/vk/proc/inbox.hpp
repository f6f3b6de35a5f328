#pragma once

// inbox: what a process is told of other processes.
//
// Who asks the kernel to start or to watch a process leaves an expectation, which is a node of the asker's own
// (a handle in a frame) under a ticket. The kernel's answer comes with a dispatch and is written into the
// expectation of its ticket. One that is gone by then is passed over: tickets are never used twice, so that a late
// answer cannot be taken for another, whatever the memory is by then.

#include "vk/base/exit_reason.hpp"
#include "vk/proc/process_id.hpp"
#include "vk/proc/thread.hpp"

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <type_traits>

namespace vk {

/// What the kernel tells a process of another one.
struct news {
    enum class kind : std::uint8_t {
        started, // `who` runs
        refused, // it could not be started; `why.code` is the errno
        ended,   // it is no more, or never was: `why`
    };

    kind what = kind::ended;
    process_id who;
    std::uint64_t ticket = 0;
    exit_reason why;
};
static_assert(std::is_trivially_copyable_v<news>);

/// What somebody waits to be told. Linked while there is more to come.
struct expectation
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    std::uint64_t ticket = 0;
    process_id who;
    bool start_only = false; // its end is of no interest
    bool started = false;    // or known to have been
    bool refused = false;
    bool ended = false;
    exit_reason why; // of the refusal, or the end
};

class inbox {
public:
    /// A ticket that was never used.
    std::uint64_t next_ticket() noexcept { return ++tickets_; }

    /// Expect news under `ticket`, for which the kernel was asked in this dispatch.
    void expect(expectation& one, std::uint64_t ticket) noexcept
    {
        one.ticket = ticket;
        expected_.push_back(one);
    }

    /// Write `one` where it is expected, if it is, and wake the readers.
    void tell(const news& one) noexcept
    {
        for (expectation& found : expected_)
            if (found.ticket == one.ticket)
                return tell(found, one);
    }

    /// Who waits for news, or for the process to drain.
    wait_list readers;

private:
    void tell(expectation& to, const news& one) noexcept
    {
        to.who = one.who;
        to.why = one.why;
        to.started = to.started || one.what != news::kind::refused;
        to.refused = one.what == news::kind::refused;
        to.ended = one.what == news::kind::ended;
        if (to.start_only || one.what != news::kind::started)
            to.unlink();
        thread::wake_all(readers);
    }

    boost::intrusive::list<expectation, boost::intrusive::constant_time_size<false>> expected_;
    std::uint64_t tickets_ = 0;
};

} // namespace vk
