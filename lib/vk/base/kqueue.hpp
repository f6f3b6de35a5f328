#pragma once

// kqueue: a queue of kernel events (kqueue(2) of the BSDs and macOS).
//
// A seam as os.hpp is, and as thin.

#include <cstdint>

#include <sys/event.h>

namespace vk::os {

class kqueue {
public:
    kqueue() = default;
    kqueue(const kqueue&) = delete;
    kqueue& operator=(const kqueue&) = delete;
    ~kqueue();

    /// Returns 0 or -errno.
    int open() noexcept;

    /// Make `changes`, then wait for `timeout_ns` at most (0 does not block, below 0 is without limit) for up to `room`
    /// events. A change that fails is an event with EV_ERROR where there is room. Returns how many there are, or -errno:
    /// with -EINTR the changes were made (kevent(2)).
    int exchange(const struct kevent* changes, int count, struct kevent* events, int room,
                 std::int64_t timeout_ns) noexcept;

private:
    int queue_ = -1;
};

} // namespace vk::os
