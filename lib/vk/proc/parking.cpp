#include "vk/proc/parking.hpp"

#include "vk/base/error.hpp"

namespace vk {

void parked::throw_orphaned() const
{
    throw cancelled(operation_);
}

parking_lot::~parking_lot()
{
    while (!stays_.empty()) {
        stays_.front().orphaned_ = true;
        stays_.pop_front();
    }
    while (!empty())
        front().wake_up(wake::cancelled);
}

} // namespace vk
