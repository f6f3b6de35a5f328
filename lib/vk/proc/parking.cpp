#include "vk/proc/parking.hpp"

namespace vk {

void parking_lot::cancel_all() noexcept
{
    if (woken_ > 0)
        thread::cancel_woken(threads_);
    while (!empty())
        front().wake_up(wake::cancelled);
}

} // namespace vk
