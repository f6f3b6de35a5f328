#pragma once

// task<T>: a lazily started coroutine, awaited once by its caller.
//
// Its frame is carved from the current thread's frame stack when it is called and released when the task
// object goes out of scope, as a rule at the end of the co_await expression: last in, first out.
//
// Awaiting starts it by a plain call from await_ready: a task that does not block never suspends its caller
// and costs little more than a function call. When it blocks, the caller suspends too, and is resumed
// through the trampoline (context) when the task ends. Where nesting has used its share of the C++ stack,
// the start goes through the trampoline as well. Symmetric
// transfer was rejected: it needs tail calls that debug builds and sanitizers do not make.

#include "vk/coroutine/context.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace vk {

template <class T = void>
class task;

namespace detail {

/// What all promises share: the frame's memory and the caller to resume.
class promise_base {
public:
    static void* operator new(std::size_t bytes)
    {
        VK_REQUIRE(frame_stack::current != nullptr);
        return frame_stack::current->allocate(bytes);
    }
    static void operator delete(void* frame) noexcept { frame_stack::release(frame); }

    static std::suspend_always initial_suspend() noexcept { return {}; }

    // At the end nothing is resumed here: the caller is queued, if it had suspended.
    struct final_awaiter {
        static bool await_ready() noexcept { return false; }
        template <class Promise>
        static void await_suspend(std::coroutine_handle<Promise> ended) noexcept
        {
            if (std::coroutine_handle<> caller = ended.promise().take_caller())
                context::current().resume_next(caller);
        }
        static void await_resume() noexcept {}
    };
    static final_awaiter final_suspend() noexcept { return {}; }

    void set_caller(std::coroutine_handle<> caller) noexcept { caller_ = caller; }
    std::coroutine_handle<> take_caller() noexcept { return std::exchange(caller_, nullptr); }

private:
    std::coroutine_handle<> caller_;
};

/// The result of a task: nothing yet, a value, or the exception that ended it.
template <class T>
class promise final : public promise_base {
public:
    promise() noexcept {}
    ~promise()
    {
        if (state_ == state::failure)
            std::destroy_at(&failure_);
        else
            drop_value();
    }

    task<T> get_return_object() noexcept;

    template <class U>
        requires std::is_constructible_v<T, U&&>
    void return_value(U&& value)
    {
        std::construct_at(std::addressof(value_), std::forward<U>(value));
        state_ = state::value;
    }

    void unhandled_exception() noexcept
    {
        drop_value(); // a local's destructor may throw after co_return
        std::construct_at(&failure_, std::current_exception());
        state_ = state::failure;
    }

    T result()
    {
        if (state_ == state::failure) [[unlikely]]
            std::rethrow_exception(failure_);
        return std::move(value_);
    }

private:
    enum class state : std::uint8_t { nothing, value, failure };

    void drop_value() noexcept
    {
        if constexpr (!std::is_trivially_destructible_v<T>)
            if (state_ == state::value)
                std::destroy_at(std::addressof(value_));
    }

    state state_ = state::nothing;
    union {
        T value_;
        std::exception_ptr failure_;
    };
};

/// A reference is kept as a pointer.
template <class T>
class promise<T&> final : public promise_base {
public:
    task<T&> get_return_object() noexcept;
    void return_value(T& value) noexcept { value_ = std::addressof(value); }
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    T& result()
    {
        if (failure_) [[unlikely]]
            std::rethrow_exception(failure_);
        return *value_;
    }

private:
    T* value_ = nullptr;
    std::exception_ptr failure_;
};

template <>
class promise<void> final : public promise_base {
public:
    task<void> get_return_object() noexcept;
    static void return_void() noexcept {}
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    void result()
    {
        if (failure_) [[unlikely]]
            std::rethrow_exception(failure_);
    }

    /// The exception that ended the task, or null; it is handed over.
    std::exception_ptr take_failure() noexcept { return std::exchange(failure_, nullptr); }

private:
    std::exception_ptr failure_;
};

} // namespace detail

template <class T>
class [[nodiscard("a task does nothing until it is awaited")]] task {
public:
    using promise_type = detail::promise<T>;
    using value_type = T;

    task() noexcept = default;
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept
    {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~task()
    {
        if (frame_)
            frame_.destroy();
    }

    // --- awaiting: starts the task; suspends when it blocks, resumes when it has ended; throws what it threw

    bool await_ready()
    {
        VK_DEBUG_ASSERT(frame_ && !frame_.done());
        context& current = context::current();
        if (!current.may_nest()) [[unlikely]] {
            current.resume_next(frame_);
            return false;
        }
        frame_.resume();
        return frame_.done();
    }

    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        frame_.promise().set_caller(caller);
    }

    T await_resume() { return frame_.promise().result(); }

    /// The coroutine, for who drives it; still owned by the task.
    std::coroutine_handle<promise_type> frame() const noexcept { return frame_; }

private:
    friend promise_type;
    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() noexcept
{
    return task<T>{std::coroutine_handle<promise>::from_promise(*this)};
}

template <class T>
task<T&> promise<T&>::get_return_object() noexcept
{
    return task<T&>{std::coroutine_handle<promise>::from_promise(*this)};
}

inline task<void> promise<void>::get_return_object() noexcept
{
    return task<void>{std::coroutine_handle<promise>::from_promise(*this)};
}

} // namespace detail
} // namespace vk
