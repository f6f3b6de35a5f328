#include "vk/proc/condition.hpp"

#include "vk/base/error.hpp"

namespace vk {

void condition::locked_awaiter::give_up()
{
    by_->hand_over();
    throw cancelled("condition::wait");
}

} // namespace vk
