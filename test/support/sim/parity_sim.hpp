#pragma once

// The parity scenario on the simulated system.

#include <string>

namespace vk::sim {

std::string run_simulated_parity();

} // namespace vk::sim
