#pragma once

// hardware_fault: what the machine said of an instruction, as an exception.
//
// A fault of a running process is thrown at the instruction that caused it. It is no vk::error: who catches
// the errors of I/O, to go on without a client, must not go on after a wild pointer by mistake.
//
// It holds its text, so that throwing it allocates no more than the exception itself.

#include "vk/base/exit_reason.hpp"

#include <cstddef>
#include <exception>

namespace vk {

class hardware_fault : public std::exception {
public:
    /// `signal` and `code` as siginfo_t has them; `address` is what was accessed, `instruction` by whom.
    hardware_fault(int signal, int code, std::uintptr_t address,
                   std::uintptr_t instruction) noexcept;

    /// "SIGSEGV (address not mapped) at 0x10, by vk-http+0x5581": what addr2line(1) takes for a program or a library.
    const char* what() const noexcept override { return text_; }

    int signal() const noexcept { return signal_; }
    int code() const noexcept { return code_; }
    std::uintptr_t address() const noexcept { return address_; }
    std::uintptr_t instruction() const noexcept { return instruction_; }

    exit_reason reason() const noexcept
    {
        return {exit_reason::kind::fault, signal_, address_, instruction_};
    }

private:
    int signal_;
    int code_;
    std::uintptr_t address_;
    std::uintptr_t instruction_;
    char text_[160];
};

/// Where `instruction` lies: in `size` bytes at `to`, with a zero behind, "program+0x5581", or its address where it is in no
/// program or library.
void write_location(char* to, std::size_t size, std::uintptr_t instruction) noexcept;

/// "SIGSEGV", for those that a fault or an abort has; "signal" for others.
const char* signal_name(int signal) noexcept;

} // namespace vk
