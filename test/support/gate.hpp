#pragma once

// gate: whether this system has what the system-call gate needs, for tests that need it.

#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/base/gate.hpp>

#include <cerrno>

namespace vk::test {

/// False, having said so, where there can be no gate. Any other reason not to have one is an error.
inline bool has_gate()
try {
    gate::require();
    return true;
} catch (const vk::error& e) {
    if (e.code().value() != ENOSYS)
        throw;
    WARN("skipped: " << e.what());
    return false;
}

} // namespace vk::test
