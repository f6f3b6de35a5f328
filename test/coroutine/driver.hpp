#pragma once

// driver: what runs coroutines where there are no threads yet: one context on a heap of its own.

#include <vk/coroutine/context.hpp>
#include <vk/coroutine/task.hpp>
#include <vk/memory/mapping.hpp>

#include <coroutine>
#include <utility>

namespace vk::test {

/// Is the running context while it lives.
class driver {
public:
    explicit driver(std::size_t pages = 64)
        : memory_(pages * limits::page_bytes),
          heap_(heap::create(memory_.base(), pages)),
          running_(heap_, heap_.rest()),
          pages_before_(heap_.pages_used())
    {
        frame_stack::current = &running_;
    }
    ~driver() { frame_stack::current = nullptr; }
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;

    /// Start `root`, or what resumes it; returns whether it has ended.
    template <class T>
    bool run(task<T>& root)
    {
        resume(root.frame());
        return root.frame().done();
    }

    void resume(std::coroutine_handle<> handle)
    {
        running_.resume_later(handle);
        running_.run();
    }

    /// The result of a root that has ended; throws what it threw.
    template <class T>
    static T result(task<T>& root)
    {
        return root.frame().promise().result();
    }

    heap& pages() noexcept { return heap_; }
    context& running() noexcept { return running_; }
    bool holds(const void* at) const noexcept { return memory_.contains(at); }

    /// Whether nothing is left of what ran.
    bool clean() const noexcept { return running_.empty() && heap_.pages_used() == pages_before_; }

private:
    mapping memory_;
    heap& heap_;
    context running_;
    std::size_t pages_before_;
};

/// Blocks who awaits it, one at a time, until the test opens it.
class gate {
public:
    explicit gate(driver& by) noexcept : by_(&by) {}

    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) noexcept { waiting_ = caller; }
    static void await_resume() noexcept {}

    bool waited_for() const noexcept { return static_cast<bool>(waiting_); }

    /// Resume who waits, and run until it blocks again or ends.
    void open() { by_->resume(std::exchange(waiting_, nullptr)); }

private:
    driver* by_;
    std::coroutine_handle<> waiting_;
};

/// Counts the lives of its copies.
struct tracked {
    struct counts {
        int made = 0; // not copied or moved from another
        int copied = 0;
        int moved = 0;
        int destroyed = 0;

        int live() const noexcept { return made + copied + moved - destroyed; }
    };

    explicit tracked(counts& in, int number = 0) noexcept : count(&in), value(number)
    {
        ++count->made;
    }
    tracked(const tracked& other) noexcept : count(other.count), value(other.value)
    {
        ++count->copied;
    }
    tracked(tracked&& other) noexcept : count(other.count), value(std::exchange(other.value, -1))
    {
        ++count->moved;
    }
    tracked& operator=(const tracked&) = delete;
    ~tracked() { ++count->destroyed; }

    counts* count;
    int value;
};

} // namespace vk::test
