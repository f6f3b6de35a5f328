#pragma once

// pipe: what one side of a socket is bound to, a file descriptor or another socket of the same process.

#include "vk/proc/descriptor.hpp"
#include "vk/proc/thread.hpp"

namespace vk {

class socket;

struct pipe {
    descriptor* fd = nullptr;
    socket* peer = nullptr;
    wait_list waiters; // threads blocked on this side of the socket

    bool bound() const noexcept { return fd || peer; }
};

} // namespace vk
