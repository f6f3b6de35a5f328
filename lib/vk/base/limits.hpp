#pragma once

// limits: every bound of the library, each with its unit and its reason.

#include <cstddef>
#include <cstdint>

namespace vk::limits {

/// Bytes of a heap page, the unit of heap sizes. The page of x86-64 and of most arm64 kernels; where the
/// hardware's is larger, mappings are rounded up to it.
inline constexpr std::size_t page_bytes = 4096;

/// Bytes of a lent ring buffer. Lent buffers are shared by all processes in turn, so their size costs an
/// idle connection nothing; 16 KiB is what TCP on loopback hands over at once without growing its window.
inline constexpr std::size_t block_bytes = 16 * 1024;

/// Free lent blocks whose physical memory is kept; beyond it a returned block is given back to the system.
inline constexpr std::size_t blocks_kept_max = 64;

/// Free heaps whose physical memory is kept; beyond it a returned heap is given back to the system.
inline constexpr std::size_t heaps_kept_max = 256;

/// Pages that a heap may have used and still be reused without being given back to the system.
inline constexpr std::size_t heap_pages_kept_max = 4;

/// Heaps that used more and wait for a turn in which nothing else is to be done, and the pages that they may
/// have used together: 64 MiB. What is beyond that is given back at once.
inline constexpr std::size_t heaps_soiled_max = 16;
inline constexpr std::size_t heap_pages_soiled_max = 16 * 1024;

/// Pages of a connection's heap, as in the C original's example.
inline constexpr std::size_t heap_pages_default = 25;

/// Pages of one heap at most: a run of pages is counted in 31 bits.
inline constexpr std::size_t heap_pages_max = std::size_t{1} << 30;

/// C++ stack that nested starts of tasks may use before they go through the trampoline, in bytes. Well
/// below the 8 MiB of a main thread and the 128 KiB of musl's threads.
inline constexpr std::size_t nesting_bytes_max = 64 * 1024;

/// Stack on which faults are handled, in bytes: the frame that the system saves (12 KiB with AMX), and the unwinder.
inline constexpr std::size_t signal_stack_bytes = 64 * 1024;

/// Exit status of an OS process that a fault left unfit for use (EX_SOFTWARE of sysexits.h).
inline constexpr int exit_status_broken = 70;

/// Memory of a poller, beside what it keeps of each fd: its buffers of events.
inline constexpr std::size_t poller_bytes = 64 * 1024;

/// Processes that one batch of dispatches takes from the run queue.
inline constexpr std::size_t batch_processes_max = 512;

/// Requests that processes may leave for the kernel in one batch.
inline constexpr std::size_t batch_requests_max = 4096;

/// News of other processes that one batch hands over; more wait for the next.
inline constexpr std::size_t batch_news_max = 512;

/// Ties between processes in one kernel: monitors, links, children of supervisors. Memory that is not touched until
/// it is used, about 200 bytes each.
inline constexpr std::size_t ties_max_default = 4096;

/// How long a process may take to end that is ended on account of another one, in milliseconds; OTP's default for
/// a worker.
inline constexpr std::int64_t shutdown_ms_default = 5'000;

/// A dispatch's budget: threads resumed, and bytes moved through file descriptors. About 100 µs of work.
inline constexpr std::uint32_t dispatch_resumes_max = 1024;
inline constexpr std::int64_t dispatch_bytes_max = 64 * 1024;

/// Events that one wait takes from a poller.
inline constexpr int poll_events_max = 512;

/// For how long, in milliseconds, a connection that the server ends is kept for the client to take what was
/// sent; over how many bytes from the client, when the service failed; and how long a silence is the end.
inline constexpr std::int64_t linger_ms_max = 2'000;
inline constexpr std::size_t linger_bytes_max = 1024 * 1024;
inline constexpr std::int64_t linger_quiet_ms = 10;

/// How long a listener without file descriptors waits for one before it tries again, in milliseconds.
inline constexpr std::int64_t accept_retry_ms = 100;

/// Restarts of a worker that ended early. The first is at once; the pause before the next is so long, doubles up
/// to the greatest, and is none again after a worker that has served for so long; all in milliseconds. Clients see
/// a pause of 50 ms, and one worker that dies every two seconds costs nothing.
inline constexpr std::int64_t restart_pause_ms_first = 50;
inline constexpr std::int64_t restart_pause_ms_max = 2'000;
inline constexpr std::int64_t restart_well_ms = 500;

/// Restarts of one worker within a period, in milliseconds, beyond which the server gives up: one each two seconds,
/// which a worker that dies at once comes to in 50 seconds.
inline constexpr std::size_t restarts_max = 30;
inline constexpr std::int64_t restarts_period_ms = 60'000;

/// How long an outgoing connection waits before it asks again where the system says EAGAIN, which for a unix
/// socket means that the backlog is full, in milliseconds: nothing tells when there is room (connect(2)).
inline constexpr std::int64_t connect_retry_ms = 2;

/// How long connections may take to end after SIGTERM before they are cancelled, in milliseconds.
inline constexpr std::int64_t drain_ms_default = 5'000;

/// How long a second request to drain is taken for the first one, in milliseconds.
inline constexpr std::int64_t drain_again_ms = 500;

/// Pause between the cancellations of a process that does not end, in milliseconds, and how many there are
/// before it is discarded.
inline constexpr std::int64_t cancel_pause_ms = 100;
inline constexpr std::uint32_t cancels_max = 20;

/// Pending connections of a listening socket (listen(2)); the kernel caps it at net.core.somaxconn.
inline constexpr int backlog_default = 4096;

/// File descriptors kept free for what a server opens beside its connections: log, poller, signals, files.
inline constexpr std::size_t descriptors_reserved = 32;

} // namespace vk::limits
