#pragma once

// refusals: the system calls that the gate refused to processes, and what is done about them.
//
// A call is refused in the middle of whatever made it, which may hold the lock of a log. So what there is to say is
// kept, and said when the batch has run.
//
// For the same reason not every call can be left by an exception. localtime() opens a file while it holds a lock, and
// has no way to let go of it: the next line of the log would wait for that for ever. So where the C library makes a
// call on the way to something else, that call fails (EPERM), and its function says so as it says that of any failure:
// fopen() returns null. A process that is to end then ends with its dispatch.

#include "vk/base/exit_reason.hpp"
#include "vk/base/gate.hpp"
#include "vk/kernel/options.hpp"
#include "vk/proc/counters.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace vk {

class refusals {
public:
    refusals(enum syscall_gate what, counters& count) noexcept;

    /// Whether there is a gate.
    bool possible() const noexcept { return what_ != syscall_gate::off; }

    /// A gate::refuser: keeps `refused` in mind, and throws refused_call, or ends the process that runs, where that can
    /// be done at once.
    static void refuse(void* self, const gate::call& refused);

    /// A process is dispatched.
    void begin() noexcept { ending_ = false; }

    /// Whether it is still to be ended.
    bool ends() const noexcept { return ending_; }

    /// Why it ends.
    static constexpr exit_reason reason{exit_reason::kind::failed, EPERM};

    /// Write a line for each call that was refused since the last time, by whom and where. What was refused again and
    /// again is one line.
    void report() noexcept
    {
        if (kept_count_ > 0) [[unlikely]]
            write_lines();
    }

private:
    struct line {
        std::uint64_t process = 0;
        std::uint32_t thread = 0;
        int number = 0;
        std::uintptr_t instruction = 0;
        std::uint64_t times = 0;

        bool is_about_the_same(const line& other) const noexcept
        {
            return process == other.process && thread == other.thread && number == other.number &&
                   instruction == other.instruction;
        }
    };

    void keep(const gate::call& refused) noexcept;
    [[gnu::cold]] void write_lines() noexcept;

    enum syscall_gate what_;
    counters* count_;
    bool ending_ = false;
    std::size_t kept_count_ = 0;
    std::uint64_t others_ = 0; // for which there was no room
    std::array<line, 16> kept_;
};

} // namespace vk
