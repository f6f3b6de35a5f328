#pragma once

// process_table: what the kernel knows of each process.
//
// Sized once at start; places are reused, the last freed first. Nothing here is reachable from a process.

#include "vk/base/time.hpp"
#include "vk/kernel/fd_table.hpp"
#include "vk/kernel/order.hpp"
#include "vk/kernel/program.hpp"
#include "vk/memory/lender.hpp"
#include "vk/proc/timers.hpp"

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace vk {

struct relations;
struct run_tag;
struct process_tag;
struct vacancy_tag;
template <class Tag>
using process_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct alignas(64) process_record : process_hook<run_tag>,
                                    process_hook<process_tag>,
                                    process_hook<vacancy_tag>,
                                    timer {
    // Touched by every dispatch; with the hooks these are two cache lines.
    std::byte* heap = nullptr;
    process* local = nullptr;   // in the heap; null before the first dispatch
    fresh_fds fresh;            // readiness to hand over at the next dispatch
    nanoseconds wanted = never; // when it wants to run; the timer may be armed for earlier
    order orders = order::none; // what to tell it at the next dispatch
    lender::holder blocks = 0;  // that its rings keep
    std::uint8_t key = 0;       // protection key of the heap, or 0
    bool connection = false;    // a listener started it: it counts against the limit
    bool daemon = false;        // the kernel does not run on for its sake
    bool dependent = false;     // who started it has it end when the kernel drains
    bool needed = false;        // the kernel drains when it fails

    // Touched at its start and its end.
    int fd = -1;                   // the connection on which to start it,
    const program* what = nullptr; // and what
    owned_fds fds;                 // what to close when it ends
    std::uint64_t id = 0;
    relations* related = nullptr; // its ties to others, if it has any
};

template <class Tag>
using process_list =
    boost::intrusive::list<process_record, boost::intrusive::base_hook<process_hook<Tag>>,
                           boost::intrusive::constant_time_size<false>>;

/// Queue `one`, unless it is queued.
inline void queue(process_list<run_tag>& run, process_record& one) noexcept
{
    if (!one.process_hook<run_tag>::is_linked())
        run.push_back(one);
}

/// Have `bits` handed to the owner of `found` when it runs next, and queue it.
inline void wake_fresh(process_list<run_tag>& run, fd_record& found, ready bits) noexcept
{
    found.fresh |= bits;
    if (!found.fd_hook<fresh_fd_tag>::is_linked())
        found.owner->fresh.push_back(found);
    queue(run, *found.owner);
}

class process_table {
public:
    process_table(std::size_t size, std::pmr::memory_resource* memory);

    /// A place for a process, or null when the table is full.
    process_record* add() noexcept;

    /// Free the place of a process that has ended, which has no fds and no timer left.
    void remove(process_record& ended) noexcept;

    process_record& at(std::uint32_t index) noexcept { return records_[index]; }
    std::uint32_t index_of(const process_record& one) const noexcept
    {
        return static_cast<std::uint32_t>(&one - records_.data());
    }

    /// The process of that id, or null when it is no more.
    process_record* find(const process_id& id) noexcept
    {
        if (id.place >= records_.size())
            return nullptr;
        process_record& one = records_[id.place];
        return one.id == id.number && one.process_hook<process_tag>::is_linked() ? &one : nullptr;
    }

    process_id id_of(const process_record& one) const noexcept { return {one.id, index_of(one)}; }

    /// Some process, or null when there is none.
    process_record* any() noexcept { return all_.empty() ? nullptr : &all_.front(); }

    std::size_t live() const noexcept { return live_; }
    std::size_t room() const noexcept { return records_.size() - live_; }

    /// Call `visit(record)` for each process. It may not add or remove any.
    template <class Visit>
    void for_each(Visit&& visit)
    {
        for (process_record& one : all_)
            visit(one);
    }

private:
    std::pmr::vector<process_record> records_;
    std::pmr::vector<std::uint32_t> free_;
    process_list<process_tag> all_;
    std::uint32_t fresh_ = 0; // places from here on were never used
    std::size_t live_ = 0;
    std::uint64_t ids_ = 0;
};

} // namespace vk
