#pragma once

// quiet: no warnings in the log while a test provokes what they warn of.

#include <vk/base/log.hpp>

namespace vk::test {

class quiet {
public:
    quiet() { log::set_level(log::level::error); }
    ~quiet() { log::set_level(log::level::info); }
    quiet(const quiet&) = delete;
    quiet& operator=(const quiet&) = delete;
};

} // namespace vk::test
