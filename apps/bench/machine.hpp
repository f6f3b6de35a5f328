#pragma once

// machine: what a measurement needs of the machine: a core of its own, enough file descriptors, a
// clock.

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace vk::bench {

/// Keep the calling thread on `core`. Throws std::system_error when there is no such core.
void pin(int core);

/// Run this program and its servers at a nice value, on a machine that others use too; 0 changes
/// nothing. Where the system shares time between sessions (autogroup), a nice value counts within a
/// session only: run by setsid(1), this program is a session of its own and sets the session's
/// value as well. Throws std::system_error when it is not allowed.
void be_nice(int value);

/// How many cores there are.
int cores();

/// Raise the limit of open files to at least `wanted`; throws std::runtime_error when that is not
/// allowed.
void allow_files(unsigned wanted);

/// Monotonic time in nanoseconds.
std::int64_t now_ns() noexcept;

/// CPU time that all threads of `pid` have used, and of its children those that live and, to 10 ms, those
/// that it has reaped, in nanoseconds; 0 when it cannot be read.
std::int64_t cpu_ns(pid_t pid);

/// One line that says where figures were taken: cores, processor, kernel, compiler.
std::string description();

} // namespace vk::bench
