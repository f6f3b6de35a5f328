#pragma once

// task<T>: a lazily started coroutine, awaited once by its caller.
//
// Its frame is carved from the current thread's frame stack when it is called and released when the task
// object goes out of scope, as a rule at the end of the co_await expression: last in, first out.
//
// Awaiting starts it by a plain call from await_ready: a task that does not block never suspends its caller
// and costs little more than a function call. When it blocks, the caller suspends too, and is resumed
// through the trampoline (context) when the task ends. Where nesting has used its share of the C++ stack,
// the start goes through the trampoline as well. The alternatives, symmetric transfer and the trampoline
// alone, were measured slower (docs/architecture.md) and the former needs tail calls that debug builds lack.

#include "vk/coroutine/context.hpp"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace vk {

template <class T = void>
class task;

namespace detail {

/// What all promises share: the frame's memory, the caller to resume, the exception to hand over.
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
            if (std::coroutine_handle<> caller = ended.promise().caller_)
                context::current().resume_next(caller);
        }
        static void await_resume() noexcept {}
    };
    static final_awaiter final_suspend() noexcept { return {}; }

    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    void set_caller(std::coroutine_handle<> caller) noexcept { caller_ = caller; }

    void rethrow()
    {
        if (failure_) [[unlikely]]
            std::rethrow_exception(std::exchange(failure_, nullptr));
    }

    /// The exception that ended the task, or null; it is handed over.
    std::exception_ptr take_failure() noexcept { return std::exchange(failure_, nullptr); }

private:
    std::coroutine_handle<> caller_;
    std::exception_ptr failure_;
};

template <class T>
class promise final : public promise_base {
public:
    promise() noexcept {}
    ~promise()
    {
        if (made_)
            std::destroy_at(std::addressof(value_));
    }

    task<T> get_return_object() noexcept;

    template <class U>
    requires std::is_constructible_v<T, U&&>
    void return_value(U&& value)
    {
        ::new (static_cast<void*>(std::addressof(value_))) T(std::forward<U>(value));
        made_ = true;
    }

    T result()
    {
        rethrow();
        return std::move(value_);
    }

private:
    union {
        T value_;
    };
    bool made_ = false;
};

template <class T>
class promise<T&> final : public promise_base {
public:
    task<T&> get_return_object() noexcept;
    void return_value(T& value) noexcept { value_ = std::addressof(value); }

    T& result()
    {
        rethrow();
        return *value_;
    }

private:
    T* value_ = nullptr;
};

template <>
class promise<void> final : public promise_base {
public:
    task<void> get_return_object() noexcept;
    static void return_void() noexcept {}
    void result() { rethrow(); }
};

} // namespace detail

template <class T>
class [[nodiscard("a task does nothing until it is awaited")]] task
{
public:
    using promise_type = detail::promise<T>;
    using value_type = T;

    task() noexcept = default;
    task(task && other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
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

    class awaiter {
    public:
        explicit awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

        bool await_ready()
        {
            if (!context::current().may_nest()) [[unlikely]]
                return false;
            started_ = true;
            frame_.resume();
            return frame_.done();
        }

        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            frame_.promise().set_caller(caller);
            if (!started_)
                context::current().resume_next(frame_);
        }

        T await_resume() { return frame_.promise().result(); }

    private:
        std::coroutine_handle<promise_type> frame_;
        bool started_ = false;
    };

    /// Start the task; suspends when it blocks, resumes when it has ended; throws what it threw.
    awaiter operator co_await()&& noexcept
    {
        VK_REQUIRE(frame_);
        return awaiter{frame_};
    }

    /// The coroutine, for who drives it; still owned by the task.
    std::coroutine_handle<promise_type> frame() const noexcept
    {
        return frame_;
    }

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
