#include "vk/base/time.hpp"

#include "vk/base/os.hpp"

namespace vk {

clock::time_point clock::now() noexcept
{
    return time_point{duration{os::now()}};
}

} // namespace vk
