#pragma once

// c_library: whether a fault inside the C library leaves it fit for use.
//
// A wild pointer often faults in memcpy or strlen, which hold nothing. One that faults in free() or printf() has
// a lock taken, or a list half changed, that the whole OS process shares. Which of the two it is, the function
// tells by which the C library was entered: it is found by walking the stack from the fault.
//
// Where the C library is part of the program (linked statically) it cannot be told from the rest, and every fault
// passes for harmless.

#include <cstdint>

namespace vk::c_library {

/// Find where the C library lies and which of its functions hold nothing. Before the first question; again does
/// nothing.
void learn() noexcept;

/// Whether a fault by the instruction at `instruction`, somewhere on the stack of the caller, may have left the C library
/// unfit for use. May be asked in a signal handler.
bool is_broken_by_fault(std::uintptr_t instruction) noexcept;

/// Whether the function by which the C library was entered is that of the system call behind which `instruction` lies, so
/// that nothing else of the library is under way. May be asked in a signal handler.
bool is_plain_call(std::uintptr_t instruction) noexcept;

} // namespace vk::c_library
