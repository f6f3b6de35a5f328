#pragma once

// kernel: one event loop, with its process table, fd table, timers and poller.
//
// It lives, with all its tables, in one mapping, the kernel's heap, sized at start: nothing is allocated while
// it runs. One kernel an OS process; it and its processes stay on the thread that runs it.
//
// A turn of its loop:
//   drain    a snapshot of the run queue becomes a batch; the dispatcher runs it; requests are read, ended
//            processes are reaped
//   submit   dirty fds go to the poller
//   wait     for an event or the earliest timer, or not at all while processes are ready or heaps soiled
//   wake     each fresh fd and each due timer queues its process, once; where that is none, one heap that is
//            soiled goes back to the system

#include "vk/base/faults.hpp"
#include "vk/kernel/dispatcher.hpp"
#include "vk/kernel/fd_table.hpp"
#include "vk/kernel/options.hpp"
#include "vk/kernel/poller/poller.hpp"
#include "vk/kernel/process_table.hpp"
#include "vk/kernel/ties.hpp"
#include "vk/memory/heap_pool.hpp"
#include "vk/proc/timers.hpp"

#include <memory>
#include <memory_resource>
#include <optional>

namespace vk {

class kernel {
public:
    struct deleter {
        void operator()(kernel* one) const noexcept;
    };
    using pointer = std::unique_ptr<kernel, deleter>;

    /// Make a kernel. Throws vk::error: EINVAL for an option that cannot be, or what the system said.
    static pointer make(const kernel_options& wanted);

    kernel(const kernel&) = delete;
    kernel& operator=(const kernel&) = delete;

    /// Have a process run `what`, on the connection `fd` unless that is -1, which the kernel owns from now on,
    /// in failure too. `what` must outlive it. A daemon does not keep the kernel running. Returns false
    /// when there is no place or no memory for it.
    bool start(const program& what, int fd = -1, bool daemon = false) noexcept;

    /// Let the process that start() made last use `fd`, which stays the caller's: it is not closed with the
    /// process, only when the process asks for that.
    void lend(int fd) noexcept;

    /// Drain when the process that start() made last ends other than normally; failed() then says so.
    void need() noexcept;

    /// Whether a process that was needed has failed.
    bool failed() const noexcept { return failed_; }

    /// Run until no process is left but daemons. Throws vk::error when the thread cannot have a stack for faults.
    void run();

    /// Let every process end: a read that would block is the end of its stream. Those that have not ended
    /// within drain_ms, or when this is called again, are cancelled. A call soon after the first is the same
    /// one: a signal to a group reaches a worker directly and through its parent.
    void drain() noexcept;

    const counters& count() const noexcept { return dispatcher_->shared.count; }
    std::string_view poller_name() const noexcept { return poller_->name(); }

    /// By what memory is closed while a process runs: "none", "mprotect" or "pkey".
    std::string_view mask_name() const noexcept { return dispatcher_->masking().name(); }

    /// Processes that live, daemons included.
    std::size_t processes() const noexcept { return processes_.live(); }

private:
    struct destroyer {
        void operator()(dispatcher* one) const noexcept { std::destroy_at(one); }
    };
    using dispatcher_pointer = std::unique_ptr<dispatcher, destroyer>;

    kernel(const kernel_options& wanted, mapping&& memory, mapping&& common,
           std::pmr::monotonic_buffer_resource* tables, dispatcher_pointer batch);
    ~kernel();

    void turn() noexcept;
    void fill_batch() noexcept;
    void describe(process_record& one, dispatch& as) noexcept;
    void read_requests() noexcept;
    void read_results() noexcept;
    void wait() noexcept;
    void wake_due(nanoseconds now) noexcept;

    void start_connection(const request& wanted) noexcept;
    void start_child(const request& wanted) noexcept;
    void tie_processes(const request& wanted) noexcept;
    void stop(process_record& whom, nanoseconds span) noexcept;
    void adopt(const request& wanted) noexcept;
    void watch(const request& wanted) noexcept;
    void close_fd(fd_record& one) noexcept;
    void forget_fd(fd_record& one) noexcept;
    void own(int fd, process_record& owner) noexcept;
    void reap(process_record& ended, std::size_t pages_used, const exit_reason& why) noexcept;
    void rest(process_record& one, nanoseconds deadline) noexcept;
    void cancel_all() noexcept;
    void offer_vacancy() noexcept;
    void discard(process_record& one) noexcept;
    void discard_all() noexcept;

    // Where everything lies.
    mapping memory_; // the kernel's heap: this object and all its tables
    mapping common_; // the dispatcher and the commons
    dispatcher_pointer dispatcher_;

    // The state.
    std::optional<fault_handling> faults_; // when they are contained
    signal_stack fault_stack_;
    process_table processes_;
    fd_table fds_;
    heap_pool heaps_;
    timers timers_;
    process_list<run_tag> run_;
    process_list<run_tag> spent_; // have run, and go on after the wait
    process_list<vacancy_tag> vacancy_waiters_;
    ties ties_;
    dirty_fds dirty_;
    std::size_t connections_max_;
    std::size_t connections_ = 0; // processes that a listener started
    poller* poller_;
    process_record* started_last_ = nullptr;
    std::size_t daemons_ = 0;
    bool draining_ = false;
    bool failed_ = false;
    std::uint32_t cancels_ = 0;
    counters* counted_; // a copy for who outlives this OS process, or null
    nanoseconds drain_span_;
    nanoseconds drain_began_ = 0;
    nanoseconds drain_deadline_ = never;
};

} // namespace vk
