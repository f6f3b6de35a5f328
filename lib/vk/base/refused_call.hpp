#pragma once

// refused_call: a system call that the gate refused, as an exception in the thread that made it.
//
// Thrown at the call, which was not made. It can be caught as any error (EPERM); the thread may go on.

#include "vk/base/error.hpp"

namespace vk {

class refused_call : public error {
public:
    /// `number` as of <sys/syscall.h>.
    explicit refused_call(int number);

    int number() const noexcept { return number_; }

    /// "openat"; empty for one that has no name here.
    const char* name() const noexcept;

private:
    int number_;
};

} // namespace vk
