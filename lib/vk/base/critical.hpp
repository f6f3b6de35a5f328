#pragma once

// critical: code that holds a lock of the whole OS process, and cannot be left by a jump.
//
// A fault in it leaves the lock taken and what it guards in no known state: the OS process then ends (faults.hpp).
// The library marks what it knows of: the allocator, and the log.

namespace vk {

class critical {
public:
    critical() noexcept { depth_ = depth_ + 1; }
    ~critical() { depth_ = depth_ - 1; }
    critical(const critical&) = delete;
    critical& operator=(const critical&) = delete;

    /// Whether the calling thread is in such code. May be asked in a signal handler.
    static bool entered() noexcept { return depth_ != 0; }

private:
    [[gnu::tls_model("initial-exec")]] static inline constinit thread_local volatile int depth_ = 0;
};

} // namespace vk
