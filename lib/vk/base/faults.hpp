#pragma once

// faults: hardware faults of what runs, as an exception in it or as its end.
//
// Who runs code that may fault arms a landing. A fault is then thrown as vk::hardware_fault at the instruction that
// caused it: the handler runs on a stack of its own, with the signal unblocked, so that unwinding may simply leave it.
// Where nothing can be unwound (a noexcept function, code built without -fnon-call-exceptions, a broken stack)
// the runtime calls std::terminate, whose handler jumps to the landing; so do abort() and a fault that comes
// while another is being thrown. What ran is then past mending, and its memory is not to be run again.
//
// Nothing can be made safe where the fault left a lock of the OS process taken (critical.hpp, c_library.hpp): then the
// OS process ends, with a line on stderr and status 70, for its supervisor to start another. A fault where no
// landing is armed has the effect that it had without this.

#include "vk/base/exit_reason.hpp"

#include <csetjmp>
#include <csignal>
#include <cstddef>

namespace vk {

/// Where a thread of the system goes on when what it runs cannot.
///
///     if (sigsetjmp(here.at(), 0) != 0)
///         ...;          // what ran is lost: here.reason()
///     here.arm();
///     ...;              // run it
///     here.disarm();
class landing {
public:
    /// Each fault that comes is added to `count`.
    explicit landing(std::uint64_t& count) noexcept : count_(&count) {}
    landing(const landing&) = delete;
    landing& operator=(const landing&) = delete;

    sigjmp_buf& at() noexcept { return at_; }

    /// From now on faults of this thread are contained. To be done anew after a jump.
    void arm() noexcept;
    void disarm() noexcept { current_ = nullptr; }

    /// After a jump: put the state of the C++ runtime right, which counts exceptions that are thrown and caught, and
    /// let go of those that will not be handled any more.
    void forget_exceptions() noexcept;

    /// Why the jump was made, and the type of the exception that had no way out, or null.
    const exit_reason& reason() const noexcept { return reason_; }
    const char* exception_type() const noexcept { return type_; }

    /// Have `reopen(argument)` called when a fault has come, in its handler, before anything of the process is touched:
    /// for what the system changed to call the handler.
    void on_signal(void (*reopen)(void*) noexcept, void* argument) noexcept
    {
        reopen_ = reopen;
        reopen_argument_ = argument;
    }

    /// Jump to the landing that is armed, for `why`. Returns when none is.
    static void leave(const exit_reason& why) noexcept;

private:
    friend struct fault_handler;

    [[gnu::tls_model("initial-exec")]] static inline constinit thread_local landing* current_ =
        nullptr;

    sigjmp_buf at_;
    std::uint64_t* count_;
    exit_reason reason_;
    const char* type_ = nullptr;
    void (*reopen_)(void*) noexcept = nullptr;
    void* reopen_argument_ = nullptr;
    void* caught_before_ = nullptr; // exceptions that were being handled when it was armed,
    unsigned thrown_before_ = 0;    // and how many were on their way
    bool forgetting_ = false;
};

/// Handles faults in this OS process, for as long as any of these lives: of signals SIGSEGV, SIGBUS, SIGFPE, SIGILL,
/// SIGTRAP and SIGABRT, and of std::terminate. What was there before gets what is not for a landing.
class fault_handling {
public:
    /// Throws vk::error.
    fault_handling();
    ~fault_handling();
    fault_handling(const fault_handling&) = delete;
    fault_handling& operator=(const fault_handling&) = delete;
};

/// A stack on which a thread of the system handles faults, that of its own stack's overflow among them.
class signal_stack {
public:
    /// Throws vk::error.
    signal_stack();
    ~signal_stack();
    signal_stack(const signal_stack&) = delete;
    signal_stack& operator=(const signal_stack&) = delete;

    /// The calling thread has that stack for as long as this lives, and what it had before after that.
    class use {
    public:
        /// Throws vk::error, when signals are being handled on another one.
        explicit use(const signal_stack& which);
        ~use();
        use(const use&) = delete;
        use& operator=(const use&) = delete;

    private:
        stack_t before_{};
    };

private:
    std::byte* base_;
    std::size_t bytes_;
};

} // namespace vk
