#include "vk/proc/mutex.hpp"

#include "vk/base/error.hpp"

#include <cerrno>

namespace vk {

void mutex::refuse_owner() const
{
    if (owner_ == &thread::current())
        raise(EDEADLK, "mutex::lock");
}

} // namespace vk
