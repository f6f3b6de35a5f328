#pragma once

// The simulated operating system: what a test includes.
//
// A test that links `sim_os_dep` runs the library, everything but its os.cpp, on a system that exists in
// memory only: virtual time, scripted peers, faults on demand, and books of all that is open. It is
// single-threaded and deterministic: a seed and a script are a run.
//
//     TEST_CASE("a line comes back")
//     {
//         vk::sim::world world;
//         auto& alice = world.add_client("alice").connect().send("hello\n").receive_line().close();
//         world.terminate_when_done();                    // SIGTERM once alice is done
//
//         CHECK(vk::serve({.listen = "127.0.0.1:0"}, echo) == 0);
//
//         world.settle();                                 // let the clients read what is on its way
//         CHECK(alice.completed());
//         CHECK(alice.received() == "Line 0: hello\n");
//         CHECK(world.complaints().empty());              // no use of a closed fd, no waiting for ever
//         CHECK(world.open_fds() == 0);
//         CHECK(world.mapped_bytes() == 0);
//     }
//
// Time passes only when the program waits (then to the next event, or its timeout) and a little with each
// call. Clients act at the times of their scripts. With options.noise the seed also decides that the
// program loses the processor between two calls, wakes late, reads and writes less than it could, and is
// told EAGAIN or EINTR; none of this may lose a byte:
//
//     for (std::uint64_t seed : vk::sim::seeds(200)) {    // VK_SEED=7 in the environment: only 7
//         INFO("VK_SEED=" << seed);
//         vk::sim::world world{{.seed = seed, .noise = vk::sim::noise::all()}};
//         ...
//
// Faults: world.fail_call(position, error) fails the call at a position of the run, and the record of a run
// (world.calls()) says of each call which errors it could have given, so that a sweep is two loops. Further
// world.fail_nth, fail_next, shorten_next, set_fault_rate, spare, set_open_files, set_mapped_bytes_max.
//
// A fault is told as the system would: EAGAIN on an edge-triggered fd is followed by an edge later, as if
// the data had come then; a short read holds the rest back likewise, for a read that is short means that
// no more was there; ECONNRESET breaks the connection for both ends; ECONNABORTED takes the connection out
// of the accept queue, and EMFILE leaves it there; close closes, whatever it answers.
//
// io_uring is there too (ring.hpp). What its operations do is recorded as a call each, within the call that had it
// done, and fails likewise; options.noise has it complete late, in any order and in part, and ends what would go on.
//
// What is not simulated: other OS processes (fork() gives ENOSYS), datagrams, urgent data. Signals reach
// the program by signal_open() alone.
//
// To see a run, set VK_SIM_TRACE in the environment: each call is a line on standard error.

#include <cstdint>
#include <vector>

#include "support/sim/call.hpp"
#include "support/sim/client.hpp"
#include "support/sim/world.hpp"

namespace vk::sim {

/// The seeds to try: 1 to `count`; or VK_SEED alone, if the environment has it.
std::vector<std::uint64_t> seeds(std::size_t count);

} // namespace vk::sim
