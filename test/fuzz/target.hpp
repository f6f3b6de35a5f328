#pragma once

// What libFuzzer calls with each input, and what corpus.cpp calls with each sample.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes);

namespace vk::test {

/// Inputs that a target begins with.
std::vector<std::string> samples();

inline void must(bool holds)
{
    if (!holds)
        std::abort();
}

} // namespace vk::test
