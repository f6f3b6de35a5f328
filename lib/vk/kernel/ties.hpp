#pragma once

// ties: what holds between processes, as the kernel knows it.
//
// A tie is a monitor (one is told of the other's end), parenthood (and the other ends with it), a link (each ends with
// the other, unless that ends normally) or the answer to who starts a process. It is a record of the kernel's heap, in a
// list of each of the two, so that the end of either finds it without a search.
//
// News is due: it stays in its tie until its process is dispatched, and is handed over with the dispatch. So nothing
// is queued beside the ties, and there is always room for it. How many ties there may be is fixed at start; a process
// sees in the commons whether there is room for another before it asks, as a listener does with connections, so what
// has been asked for can be kept.
//
// For each tie:
//   it is in watcher->related->watches, and in target->related->watched_by while `target` is not null
//   `target` is null once that process has ended, and the tie then is in watcher->related->due
//   a process whose relations are all empty, and that nothing ends, has none (`related` is null)

#include "vk/kernel/news_board.hpp"
#include "vk/kernel/places.hpp"
#include "vk/kernel/process_table.hpp"
#include "vk/proc/inbox.hpp"

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory_resource>

namespace vk {

struct watching_tag;
struct watched_tag;
struct due_tag;
template <class Tag>
using tie_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct tie : tie_hook<watching_tag>, tie_hook<watched_tag>, tie_hook<due_tag> {
    bond how = bond::monitor;
    bool starting = false; // the watcher was not told yet that the target runs
    bool silent = false;   // a parent that does not want to be told
    process_record* watcher = nullptr;
    process_record* target = nullptr;
    news due;
};

template <class Tag>
using tie_list = boost::intrusive::list<tie, boost::intrusive::base_hook<tie_hook<Tag>>,
                                        boost::intrusive::constant_time_size<false>>;

/// Of one process. As a timer: when it is discarded, if it does not end before.
struct relations : timer {
    process_record* whose = nullptr;
    tie_list<watching_tag> watches;
    tie_list<watched_tag> watched_by;
    tie_list<due_tag> due;
    exit_reason because; // other than normal: it is ended on account of another, which ended so
};

class ties {
public:
    /// For `size` ties, between processes of `all`, which are queued in `run`.
    ties(std::size_t size, std::pmr::memory_resource* memory, const process_table& all,
         process_list<run_tag>& run);

    /// What that takes of the memory, at most.
    static std::size_t bytes(std::size_t size) noexcept;

    /// For how many more ties there is room for sure.
    std::size_t room() const noexcept;

    // --- what a process asks for, while there is room

    /// `by` has asked to start a process, which is `child`, or null when it could not be started.
    void bear(process_record& by, bond how, std::uint64_t ticket, process_record* child) noexcept;

    /// Tell `by` of the end of `whom`; at once when that is null, since `id` is no process.
    void monitor(process_record& by, std::uint64_t ticket, const process_id& id,
                 process_record* whom) noexcept;

    /// `by` does not want to be told any more.
    void forget(process_record& by, std::uint64_t ticket) noexcept;

    /// Let each end with the other; `by` ends when `whom` is null, since there is no such process.
    void link(process_record& by, process_record* whom, nanoseconds now) noexcept;
    void unlink(process_record& by, process_record& whom) noexcept;

    /// Cancel `whom`, which has a tie, and have it discarded at `deadline`; no word to it if that is `now`.
    void stop(process_record& whom, nanoseconds now, nanoseconds deadline) noexcept;

    // --- what the kernel knows

    /// Hand over what is due to `to` as the dispatch numbered `dispatch`. What does not fit is for the next batch, for
    /// which `to` is queued.
    void hand_over(process_record& to, news_board& board, std::size_t dispatch) noexcept;

    /// `one` has been made, and runs.
    void started(process_record& one) noexcept;

    /// `one` has ended by `why`: tell who watches it, end who is tied to it. Returns what it has ended by in truth.
    exit_reason ended(process_record& one, const exit_reason& why, nanoseconds now) noexcept;

    /// When overdue() has one next.
    nanoseconds next() const noexcept { return endings_.next(); }

    /// A process that was to end by `now` and has not, or null. It is the caller's to discard.
    process_record* overdue(nanoseconds now) noexcept;

private:
    relations& related(process_record& one) noexcept;
    void release_idle(process_record& one) noexcept;
    tie& add(bond how, process_record& watcher, std::uint64_t ticket,
             process_record* target) noexcept;
    void remove(tie& one) noexcept;
    void tell(tie& one, news::kind what, const exit_reason& why) noexcept;
    void end(process_record& one, const exit_reason& because, nanoseconds now) noexcept;
    void target_ended(tie& one, const exit_reason& why, nanoseconds now) noexcept;
    void watcher_ended(tie& one, const exit_reason& why, nanoseconds now) noexcept;

    const process_table* all_;
    process_list<run_tag>* run_;
    places<tie> ties_;
    places<relations> relations_;
    timers endings_;
};

} // namespace vk
