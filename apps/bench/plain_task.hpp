#pragma once

// plain_task: the coroutine task everybody writes, as a baseline.
//
// Lazily started, its frame from the global operator new, caller and callee entered by symmetric
// transfer.

#include <coroutine>
#include <exception>
#include <utility>

namespace vk::bench {

template <class T>
class plain_task {
public:
    struct promise_type;
    using handle = std::coroutine_handle<promise_type>;

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(handle done) const noexcept
        {
            return done.promise().caller;
        }
        void await_resume() const noexcept {}
    };

    struct promise_type {
        T value{};
        std::exception_ptr error;
        std::coroutine_handle<> caller = std::noop_coroutine();

        plain_task get_return_object() { return plain_task(handle::from_promise(*this)); }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        final_awaiter final_suspend() const noexcept { return {}; }
        void return_value(T result) { value = std::move(result); }
        void unhandled_exception() { error = std::current_exception(); }
    };

    plain_task(plain_task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    plain_task& operator=(plain_task&&) = delete;
    ~plain_task()
    {
        if (frame_)
            frame_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept
    {
        frame_.promise().caller = caller;
        return frame_;
    }
    T await_resume()
    {
        if (frame_.promise().error)
            std::rethrow_exception(frame_.promise().error);
        return std::move(frame_.promise().value);
    }

    /// Run it from outside of any coroutine; it must not block.
    T run()
    {
        frame_.resume();
        return await_resume();
    }

private:
    explicit plain_task(handle frame) noexcept : frame_(frame) {}

    handle frame_;
};

} // namespace vk::bench
