#pragma once

// process_by_hand: a process that a test dispatches itself, in place of a kernel.

#include <vk/memory/mapping.hpp>
#include <vk/proc/process.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace vk::test {

class process_by_hand {
public:
    explicit process_by_hand(std::size_t pages = 32, std::size_t blocks = 4)
        : memory_(pages * limits::page_bytes),
          shared(std::make_unique<commons>(blocks)),
          made(process::create(memory_.base(), pages, *shared, 9))
    {
    }

    /// Start it with what `main(arguments...)` returns.
    template <class Main, class... Arguments>
    void start(Main main, Arguments&&... arguments)
    {
        made.start([&] { return main(std::forward<Arguments>(arguments)...); });
    }

    outcome dispatch() { return made.dispatch(); }

    /// What it asked of the kernel since it was asked last.
    std::vector<request> take_requests()
    {
        std::vector<request> all(shared->requests.begin(), shared->requests.end());
        shared->requests.clear();
        return all;
    }

    bool holds(const void* at) const noexcept { return memory_.contains(at); }

private:
    mapping memory_;

public:
    std::unique_ptr<commons> shared;
    process& made;
};

} // namespace vk::test
