#pragma once

// process: the local part of a micro-process, which lies in its own heap with all that it refers to.
//
// Its threads, its run queue, its timers, and what is due at the end of a dispatch. A dispatch runs every
// ready thread until all of them block or end, or the budget is spent. The other part, what the kernel knows
// of it, is kernel/process_table.
//
// Layout of the heap: [heap record][process][first thread][frames of the first thread ...] then runs of pages.

#include "vk/base/exit_reason.hpp"
#include "vk/base/global_account.hpp"
#include "vk/base/limits.hpp"
#include "vk/memory/heap.hpp"
#include "vk/proc/commons.hpp"
#include "vk/proc/descriptor.hpp"
#include "vk/proc/inbox.hpp"
#include "vk/proc/thread.hpp"
#include "vk/proc/thread_failure.hpp"
#include "vk/proc/timers.hpp"

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>

namespace vk {

/// Work that is due when the threads of a process have run: flush, give back buffers. A node of its owner.
struct chore
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    void (*run)(chore&) noexcept = nullptr;
};

/// What lives as long as its process, beyond any of its threads, until the last of them has ended: a pool of
/// connections, say. A node of its owner, which lies in the heap.
struct belonging
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    const void* key = nullptr;                  // what it is known by
    void (*end)(belonging&) noexcept = nullptr; // called when it is no longer in the list
};

/// How a dispatch left its process.
enum class outcome : std::uint8_t {
    blocked, // every thread waits
    ready,   // the budget was spent, or requests did not fit: run it again
    ended,   // no thread is left
    dropped, // its memory is in no state to be used: it is never run again
};

class process {
public:
    /// Make a process in the `pages` pages at `memory`, which stay the caller's. `shared` must outlive it.
    static process& create(void* memory, std::size_t pages, commons& shared, std::uint64_t id);

    process(const process&) = delete;
    process& operator=(const process&) = delete;

    // --- for the kernel, or whoever runs it

    /// Start the first thread: `make`, called once with its frame stack current, returns its root task.
    template <class Make>
    void start(Make&& make);

    /// Run the ready threads, then what is due. Timers are compared with commons::now.
    outcome dispatch() noexcept;

    /// The earliest deadline of a blocked thread, or never.
    nanoseconds next_deadline() const noexcept { return timers_.next(); }

    /// Hand over what the poller reported of `fd`, watched on behalf of `where`, and how many bytes are `there` if it
    /// knows. A descriptor that is gone by now is passed over: its memory may be another frame.
    void refresh(const descriptor* where, int fd, ready bits, std::uint16_t there) noexcept;

    /// As above, for a descriptor that lives.
    void refresh(descriptor& where, ready bits, std::uint16_t there = 0) noexcept;

    /// Let it end: a read of an fd that would block is the end of its stream from now on.
    void drain() noexcept;

    /// Cancel every thread.
    void cancel() noexcept;

    /// Wake who waits for the kernel to have room for a process.
    void vacancy() noexcept { thread::wake_all(vacancy_waiters); }

    /// Cancel every thread but `spared`.
    void cancel_others(const thread& spared) noexcept;

    /// Threads that have not ended.
    std::uint32_t threads() const noexcept { return thread_count_; }

    /// Call `visit(thread)` for each thread that has not ended.
    template <class Visit>
    void for_each_thread(Visit&& visit) const
    {
        for (const thread& one : threads_)
            visit(one);
    }

    /// Add to the counters what it held of the global heap. Done by the dispatch in which its last thread ends; for
    /// a process that is taken away without having been unwound, by who takes it, before its heap goes: what it
    /// holds then stays allocated for good.
    void close_account() noexcept;

    // --- for its threads and awaiters

    /// The process that runs.
    static process& current() noexcept { return thread::current().process(); }

    /// Why it ends, or will: normal until something else is known.
    const exit_reason& reason() const noexcept { return reason_; }

    std::uint64_t id() const noexcept { return id_; }

    /// By which others know it.
    process_id known_as() const noexcept { return {id_, shared_->requests.sender()}; }
    class heap& heap() const noexcept { return *heap_; }
    commons& shared() const noexcept { return *shared_; }
    const global_account& account() const noexcept { return account_; }
    bool draining() const noexcept { return draining_; }

    /// Have `node` run when the threads have run. Doing so again before then changes nothing.
    void add_chore(chore& node) noexcept
    {
        if (!node.is_linked())
            chores_.push_back(node);
    }

    /// Whether an fd that is watched needs no further word for a thread to wait for its input.
    bool waits_by_edge() const noexcept { return shared_->registers_once && !draining_; }

    /// Have the poller told that something waits for `interest` of `where`, unless it knows.
    void watch(descriptor& where, ready interest) noexcept;

    /// Have the kernel close the fd of `where`, which is not used any more.
    void close(descriptor& where) noexcept;

    /// Count `bytes` against this dispatch's budget.
    void spend(std::int64_t bytes) noexcept { bytes_left_ -= bytes; }
    bool spent() const noexcept { return bytes_left_ <= 0; }

    /// End this dispatch after the thread that runs; the process is run again.
    void spend_all() noexcept { bytes_left_ = 0; }

    /// Keep `one` until the process ends, and then call its `end`. No thread runs any more by then.
    void keep(belonging& one) noexcept { belongings_.push_back(one); }

    /// What is kept and known by `key`, or null.
    belonging* kept(const void* key) noexcept;

    /// Have failures of the other threads wait for `by`, until that has ended. There is one such thread at a time.
    void supervise(thread& by) noexcept
    {
        VK_REQUIRE(!supervising_ || supervising_ == &by);
        supervising_ = &by;
    }

    bool has_failure() const noexcept { return !failed_threads_.empty(); }

    /// The oldest failure that waits, if there is one. Its thread is freed.
    std::optional<thread_failure> take_failure() noexcept;

private:
    friend class scope;
    friend class thread;
    friend class thread_handle;

    process(class heap& pages, commons& shared, std::uint64_t id) noexcept
        : shared_(&shared),
          account_(shared.global_bytes_max, shared.count.allocations_refused),
          id_(id),
          heap_(&pages)
    {
    }

    thread& make_thread();
    template <class Make>
    thread& spawn(Make&& make);
    template <class Make>
    void start_thread(thread& fresh, Make&& make);
    void run(thread& next) noexcept;
    void retire(thread& ended);
    void retire_to_scope(thread& ended);
    void free_thread(thread& ended) noexcept;
    void fail(std::exception_ptr why) noexcept;
    void stop_supervising() noexcept;
    void expire_timers() noexcept;
    void run_chores() noexcept;
    void end_belongings() noexcept;
    bool leave_requests() noexcept;

    // Touched by every dispatch.
    commons* shared_;
    std::int64_t bytes_left_ = 0;
    wait_list run_; // the run queue
    timers timers_;
    boost::intrusive::list<chore, boost::intrusive::constant_time_size<false>> chores_;
    boost::intrusive::list<descriptor, boost::intrusive::base_hook<dirty_hook>,
                           boost::intrusive::constant_time_size<false>>
        dirty_;
    boost::intrusive::list<descriptor, boost::intrusive::base_hook<watched_hook>,
                           boost::intrusive::constant_time_size<false>>
        watched_; // descriptors that the poller was told of
    std::uint32_t thread_count_ = 0;
    bool draining_ = false;
    bool failed_ = false; // an exception escaped a thread that nobody joins
    global_account account_;

    // Touched when threads come and go.
    exit_reason reason_;
    thread* supervising_ = nullptr;
    wait_list failed_threads_; // have ended; their failures wait for the one that supervises
    std::uint32_t thread_ids_ = 0;
    std::uint64_t id_;
    class heap* heap_;
    boost::intrusive::list<belonging, boost::intrusive::constant_time_size<false>> belongings_;
    boost::intrusive::list<thread, boost::intrusive::base_hook<member_hook>,
                           boost::intrusive::constant_time_size<false>>
        threads_;

public:
    wait_list sleepers;
    wait_list paused;
    wait_list vacancy_waiters;
    wait_list survivors; // who waits to be the only thread
    inbox told;          // of other processes
    wait_list failure_waiters;
};

inline void thread::queue() noexcept
{
    process_->run_.push_back(*this);
}

inline void thread::wake_up(wake why) noexcept
{
    VK_DEBUG_ASSERT(blocked());
    if (armed())
        disarm();
    woken_ = why;
    if (why != wake::ready)
        attempt_ = nullptr;
    wait_list& run = process_->run_;
    run.splice(run.end(), run, wait_list::s_iterator_to(*this)); // from any list: none counts
}

inline void thread::yield(std::coroutine_handle<> caller) noexcept
{
    resume_later(caller);
    queue();
}

template <class Make>
void process::start_thread(thread& fresh, Make&& make)
{
    frame_stack* before = frame_stack::current;
    frame_stack::current = &fresh;
    try {
        fresh.root_ = make();
    } catch (...) {
        frame_stack::current = before;
        throw;
    }
    frame_stack::current = before;
    if (before)
        fresh.deadline_ = static_cast<thread*>(before)->deadline_;
    fresh.resume_later(fresh.root_.frame());
    threads_.push_back(fresh);
    ++thread_count_;
    run_.push_back(fresh);
}

// A thread beside the others, whose root task `make` returns.
template <class Make>
thread& process::spawn(Make&& make)
{
    thread& fresh = make_thread();
    try {
        start_thread(fresh, make);
    } catch (...) {
        free_thread(fresh);
        throw;
    }
    return fresh;
}

template <class Make>
void process::start(Make&& make)
{
    VK_REQUIRE(thread_ids_ == 0);
    auto* at = heap_->carve(sizeof(thread));
    thread& first = *new (at) thread(*this, ++thread_ids_, *heap_, heap_->rest());
    global_account::scope here(&account_);
    start_thread(first, make);
}

} // namespace vk
