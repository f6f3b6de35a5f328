#include "vk/base/refused_call.hpp"

#include "vk/base/call_name.hpp"

#include <cerrno>

namespace vk {

refused_call::refused_call(int number)
    : error(EPERM, ("refused: " + text_of_call(number)).c_str()), number_(number)
{
}

const char* refused_call::name() const noexcept
{
    return call_name(number_);
}

} // namespace vk
