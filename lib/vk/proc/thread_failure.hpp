#pragma once

// thread_failure: which thread failed, and by what.

#include "vk/base/exit_reason.hpp"

#include <cstdint>
#include <exception>

namespace vk {

struct thread_failure {
    std::uint32_t thread = 0; // its number in the process
    exit_reason reason;
    std::exception_ptr exception; // what escaped it
};

} // namespace vk
