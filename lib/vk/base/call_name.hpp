#pragma once

// call_name: what a system call is called.

#include <string>

namespace vk {

/// "openat", as its page of the manual has it; empty for one that is not known here.
const char* call_name(int number) noexcept;

/// "openat(2)", "system call 423".
std::string text_of_call(int number);

} // namespace vk
