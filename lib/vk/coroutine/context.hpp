#pragma once

// context: what a running micro-thread is to its coroutines.
//
// Where their frames are carved (frame_stack), what is resumed next (the trampoline), and how much C++ stack
// nested starts may use. Coroutines know no more of a thread than this.
//
// The trampoline: nothing resumes a coroutine but run(). A coroutine that ends or starts another leaves a
// handle in `next` and suspends; the C++ stack stays flat whatever the build type, where symmetric transfer
// would rely on a tail call that -O0 and sanitizers do not make.

#include "vk/base/assert.hpp"
#include "vk/base/limits.hpp"
#include "vk/memory/frame_stack.hpp"

#include <coroutine>
#include <utility>

namespace vk {

class context : public frame_stack {
public:
    using frame_stack::frame_stack;

    /// The context that runs. Calling it outside of a thread is the caller's bug.
    static context& current() noexcept
    {
        VK_DEBUG_ASSERT(frame_stack::current != nullptr);
        return static_cast<context&>(*frame_stack::current);
    }

    /// Have the trampoline resume `handle` when what runs has suspended.
    void resume_next(std::coroutine_handle<> handle) noexcept { next_ = handle; }

    /// Have the next run() begin with `handle`: for a coroutine that blocks.
    void resume_later(std::coroutine_handle<> handle) noexcept { later_ = handle; }

    /// Resume the coroutine left by resume_later(), then what it leaves by resume_next(), until none is left.
    /// Returns whether something is to be resumed later; if not, the root has ended.
    bool run()
    {
        floor_ = static_cast<const char*>(__builtin_frame_address(0)) - limits::nesting_bytes_max;
        for (auto now = std::exchange(later_, nullptr); now; now = std::exchange(next_, nullptr))
            now.resume();
        return static_cast<bool>(later_);
    }

    /// Whether the C++ stack has room to start a task by a plain call.
    bool may_nest() const noexcept
    {
        return static_cast<const char*>(__builtin_frame_address(0)) > floor_;
    }

private:
    std::coroutine_handle<> later_;
    std::coroutine_handle<> next_;
    const char* floor_ = nullptr;
};

} // namespace vk
