#pragma once

// gate: whether this system has what the system-call gate needs, for tests that need it.

#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/base/gate.hpp>

#include <cerrno>

// Of the undefined-behaviour sanitizer, which makes calls of its own (pipe2(2)) where it checks an object's type.
extern "C" [[gnu::weak]] void __ubsan_handle_dynamic_type_cache_miss(void*, unsigned long,
                                                                     unsigned long);

namespace vk::test {

/// False, having said so, where there can be no gate. Any other reason not to have one is an error.
inline bool has_gate()
try {
    if (&__ubsan_handle_dynamic_type_cache_miss) {
        WARN("skipped: the sanitizer's own calls would be refused");
        return false;
    }
    gate::require();
    return true;
} catch (const vk::error& e) {
    if (e.code().value() != ENOSYS)
        throw;
    WARN("skipped: " << e.what());
    return false;
}

} // namespace vk::test
