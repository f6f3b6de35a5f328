#pragma once

// schedules: which random schedules a test runs, and the bytes that are sent in them.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace vk::test {

/// The number that `name` has in the environment, or `otherwise`.
inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise)
{
    const char* value = std::getenv(name);
    return value && *value ? std::strtoull(value, nullptr, 10) : otherwise;
}

/// The seeds from 1 to `count`, or to VK_SCHEDULES; or VK_SEED alone.
struct schedules {
    explicit schedules(std::uint64_t count)
    {
        if (std::uint64_t only = from_environment("VK_SEED", 0))
            first = last = only;
        else
            last = from_environment("VK_SCHEDULES", count);
    }

    std::uint64_t first = 1;
    std::uint64_t last;
};

/// Of the stream `seed`, the byte `at`.
inline char byte_at(std::uint64_t seed, std::size_t at) noexcept
{
    return static_cast<char>(seed + at * 131 + (at >> 8) * 17);
}

} // namespace vk::test
