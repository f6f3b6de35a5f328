#pragma once

// program: what a process runs, as xv6 means the word.
//
// It outlives every process that runs it and lies outside of all heaps, so that a kernel can pass it to a
// process of its making.

#include "vk/proc/process.hpp"

namespace vk {

class program {
public:
    /// Start the first thread of `fresh`, whose heap is open. `fd` is the connection that it serves, or -1.
    /// May throw heap_exhausted; the process then ends at once.
    virtual void start(process& fresh, int fd) const = 0;

    /// Whether its processes run with the kernel's memory in reach, on every level of isolation.
    bool privileged() const noexcept { return privileged_; }

protected:
    explicit program(bool privileged = false) noexcept : privileged_(privileged) {}
    ~program() = default;

private:
    bool privileged_;
};

} // namespace vk
