#pragma once

// counters: what a kernel and its processes did, for --stats, tests and the curious.

#include <cstdint>

namespace vk {

struct counters {
    std::uint64_t dispatches = 0; // times a process was run
    std::uint64_t resumes = 0;    // times a thread was run
    std::uint64_t reads = 0;      // calls that read: recv(2), read(2), readv(2)
    std::uint64_t writes =
        0; // calls that write: send(2), write(2), writev(2), sendfile(2), splice(2)
    std::uint64_t waits = 0;             // epoll_wait(2), poll(2), io_uring_enter(2)
    std::uint64_t registrations = 0;     // epoll_ctl(2), or what a driver does to watch an fd
    std::uint64_t eagain = 0;            // reads, writes and accepts that failed with EAGAIN
    std::uint64_t accepts = 0;           // connections accepted
    std::uint64_t accept_errors = 0;     // accepts that failed otherwise: EMFILE, ECONNABORTED, ...
    std::uint64_t connects = 0;          // outgoing connections established
    std::uint64_t connect_errors = 0;    // those that were not: ECONNREFUSED, a timeout, ...
    std::uint64_t processes_started = 0; //
    std::uint64_t processes_ended = 0;   //
    std::uint64_t processes_failed = 0;  // ended by an exception that nothing caught
    std::uint64_t faults = 0;            // hardware faults and aborts of processes
    std::uint64_t refused_calls = 0;     // system calls that the gate refused
    std::uint64_t bytes_in = 0;          // bytes read
    std::uint64_t bytes_out = 0;         // bytes written
    std::uint64_t restarts = 0;          // workers that took the place of one that died
    std::uint64_t masks = 0;             // mprotect(2) calls around dispatches
    std::uint64_t heap_overflows = 0;    // heaps from beyond the pool
    std::uint64_t children_restarted = 0;    // by a supervisor
    std::uint64_t heap_pages_high_water = 0; // most pages any process used

    // Of the global heap, in a program that links counted_new.
    std::uint64_t allocations_refused = 0; // to a process that had all it may have
    std::uint64_t global_bytes_lost = 0;   // held by processes when they ended: lost, or handed on
    std::uint64_t global_bytes_high_water = 0; // most bytes any process held

    /// Call `visit(name, value)` for each counter, in the order above.
    template <class Counters, class Visit>
    static void for_each(Counters& all, Visit&& visit)
    {
        visit("dispatches", all.dispatches);
        visit("resumes", all.resumes);
        visit("reads", all.reads);
        visit("writes", all.writes);
        visit("waits", all.waits);
        visit("registrations", all.registrations);
        visit("eagain", all.eagain);
        visit("accepts", all.accepts);
        visit("accept_errors", all.accept_errors);
        visit("connects", all.connects);
        visit("connect_errors", all.connect_errors);
        visit("processes_started", all.processes_started);
        visit("processes_ended", all.processes_ended);
        visit("processes_failed", all.processes_failed);
        visit("faults", all.faults);
        visit("refused_calls", all.refused_calls);
        visit("bytes_in", all.bytes_in);
        visit("bytes_out", all.bytes_out);
        visit("restarts", all.restarts);
        visit("masks", all.masks);
        visit("heap_overflows", all.heap_overflows);
        visit("children_restarted", all.children_restarted);
        visit("heap_pages_high_water", all.heap_pages_high_water);
        visit("allocations_refused", all.allocations_refused);
        visit("global_bytes_lost", all.global_bytes_lost);
        visit("global_bytes_high_water", all.global_bytes_high_water);
    }

    /// Add those of another kernel; a high-water mark is the greater of the two.
    counters& operator+=(const counters& other) noexcept;
};

} // namespace vk
