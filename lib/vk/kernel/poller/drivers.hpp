#pragma once

// drivers: the pollers that were compiled in, by their makers.

#include "vk/kernel/poller/poller.hpp"

namespace vk {

poller* make_epoll_poller(const poller_parts& parts);
poller* make_poll_poller(const poller_parts& parts);

} // namespace vk
