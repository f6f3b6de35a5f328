#pragma once

// gate: whether a system call of this thread passes.
//
// Linux asks a byte of the program, at each system call of a thread that wants it, whether the call passes or is
// trapped (Syscall User Dispatch, prctl(2) PR_SET_SYSCALL_USER_DISPATCH). The dispatcher closes the gate while
// processes run. The library's own calls hold a `pass`: a byte written before and after, whether the gate is on
// or not, which is less than asking. The alternative, own stubs that are excluded by their address, would
// save those writes and lose the C library's wrappers, liburing's and spdlog's; no difference could be measured
// between the two.
//
// A call that traps comes to a handler of SIGSYS. A few pass, which the C library makes on its own to get memory, to
// take locks, to tell the time and to abort: `calls_that_pass` in gate.cpp has each with its reason. All others are
// refused, without having been made.
//
// It finds calls that a service should not make: those that block the kernel, or reach beyond it. It stops nobody
// who means it: the byte lies in open memory.
//
// A signal handler of somebody else that interrupts a process returns as ever. If it makes calls it needs a pass.

#include <cstdint>

namespace vk::gate {

/// A call that was refused.
struct call {
    int number; // as of <sys/syscall.h>; -1 for one by another interface of the system
    std::uintptr_t instruction; // behind the one that made it
};

/// Called in the signal handler, on the stack of who made the call, with what was given to watch. It throws, or
/// leaves otherwise; when it returns the call fails with EPERM.
using refuser = void (*)(void* self, const call& refused);

/// What is called of a call that traps.
struct watcher {
    refuser refuse = nullptr;
    void* self = nullptr;

    /// If any, first: for what the system changed to call the handler, which reads what the call was given and may unwind
    /// what made it (as landing::on_signal()).
    void (*reopen)(void* argument) noexcept = nullptr;
    void* argument = nullptr;
};

/// Throws vk::error where the gate cannot be: ENOSYS where the system has none, EINVAL on a thread that is not the
/// program's first, whose malloc() grows its memory by mprotect(2).
void require();

/// While it lives, system calls of this thread pass only when the gate is open, which it is at first. One a thread.
class watch {
public:
    /// Throws as require().
    explicit watch(const watcher& whose);
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;
};

enum class state : unsigned char { open = 0, closed = 1 }; // as the system reads it

/// What the system reads.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local volatile state selector =
    state::open;

inline void open() noexcept
{
    selector = state::open;
}

inline void close() noexcept
{
    selector = state::closed;
}

/// While it lives, system calls of this thread pass. For a call that is meant, and never across a co_await.
class [[nodiscard]] pass {
public:
    pass() noexcept : before_(selector) { selector = state::open; }
    ~pass() { selector = before_; }
    pass(const pass&) = delete;
    pass& operator=(const pass&) = delete;

private:
    state before_;
};

} // namespace vk::gate
