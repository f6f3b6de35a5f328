#include <vk/base/error.hpp>
#include <vk/base/gate.hpp>

#include <cerrno>

// The simulated system has no gate.

namespace vk::gate {

void require()
{
    throw error(ENOSYS, "the simulated system has no system-call gate");
}

watch::watch(const watcher&)
{
    require();
}

watch::~watch() = default;

} // namespace vk::gate
