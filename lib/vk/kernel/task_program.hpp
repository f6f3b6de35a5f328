#pragma once

// task_program: a program that is a coroutine function.

#include "vk/coroutine/task_function.hpp"
#include "vk/kernel/program.hpp"

#include <concepts>

namespace vk {

/// Runs `main()` as the first thread of a process: task<>(), or task<>(Message&) with the message that all its processes
/// share, as vk::task_function<>(main, message). It must outlive them, and lie outside of all heaps.
class task_program final : public program {
public:
    template <std::convertible_to<task_function<>> Main>
    explicit task_program(const Main& main) noexcept : main_(main)
    {
    }

    void start(process& fresh, int) const override
    {
        fresh.start([this] { return main_(); });
    }

private:
    task_function<> main_;
};

} // namespace vk
