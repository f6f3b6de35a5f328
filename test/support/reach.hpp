#pragma once

// reach: what this OS thread can reach, without a fault.

#include "support/fds.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include <unistd.h>

namespace vk::test {

/// Asks the system, which has the rights of whoever calls it, to read a byte.
class probe {
public:
    probe()
    {
        if (::pipe(ends_) < 0)
            throw std::runtime_error("pipe");
    }
    ~probe()
    {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    probe(const probe&) = delete;
    probe& operator=(const probe&) = delete;

    bool reaches(const void* at) const noexcept
    {
        char byte;
        return ::write(ends_[1], at, 1) == 1 && ::read(ends_[0], &byte, 1) == 1;
    }

private:
    int ends_[2];
};

/// The kernel mappings (VMAs) of this OS process that begin in [`begin`, `end`).
inline std::size_t mappings_in(const void* begin, const void* end)
{
    std::ifstream maps("/proc/self/maps");
    std::size_t found = 0;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = std::stoul(line, nullptr, 16);
        found += from >= reinterpret_cast<std::uintptr_t>(begin) &&
                 from < reinterpret_cast<std::uintptr_t>(end);
    }
    return found;
}

/// All of them.
inline std::size_t mappings()
{
    return mappings_in(nullptr, reinterpret_cast<const void*>(~std::uintptr_t{0}));
}

} // namespace vk::test
