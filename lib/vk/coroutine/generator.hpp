#pragma once

// generator<T>: a coroutine that yields elements one by one, and may block in between.
//
//     generator<std::string_view> words(socket& io);
//
//     for (auto all = words(io); auto* word = co_await all.next();)
//         use(*word);
//
// It runs only while its next element is awaited, in the thread that awaits it, so that it needs no queue and is never
// ahead of its reader. An element lies where the generator has it; std::generator of C++23 does not await.

#include "vk/coroutine/task.hpp"

#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace vk {

template <class T>
class generator;

namespace detail {

template <class T>
class generator_promise final : public promise_base {
public:
    generator<T> get_return_object() noexcept;

    // The reader goes on: itself where it waits in await_ready, by the trampoline where it had suspended.
    struct yield_awaiter {
        static bool await_ready() noexcept { return false; }
        static void await_suspend(std::coroutine_handle<generator_promise> yielding) noexcept
        {
            if (std::coroutine_handle<> reader = yielding.promise().take_caller())
                context::current().resume_next(reader);
        }
        static void await_resume() noexcept {}
    };

    struct copy_awaiter : yield_awaiter {
        T copy;

        explicit copy_awaiter(const T& element) : copy(element) {}
        void await_suspend(std::coroutine_handle<generator_promise> yielding) noexcept
        {
            yielding.promise().element_ = std::addressof(copy);
            yield_awaiter::await_suspend(yielding);
        }
    };

    yield_awaiter yield_value(T& element) noexcept
    {
        element_ = std::addressof(element);
        return {};
    }
    yield_awaiter yield_value(T&& element) noexcept { return yield_value(element); }
    copy_awaiter yield_value(const T& element)
        requires(!std::is_const_v<T> && std::is_copy_constructible_v<T>)
    {
        return copy_awaiter(element);
    }

    static void return_void() noexcept {}
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    void forget() noexcept { element_ = nullptr; }

    T* element()
    {
        if (failure_) [[unlikely]]
            std::rethrow_exception(std::exchange(failure_, nullptr));
        return element_;
    }
    bool has_element() const noexcept { return element_ != nullptr; }

private:
    T* element_ = nullptr;
    std::exception_ptr failure_;
};

} // namespace detail

template <class T>
class [[nodiscard("a generator does nothing until its elements are awaited")]] generator {
    static_assert(!std::is_reference_v<T>, "elements are handed over by reference as it is");

public:
    using promise_type = detail::generator_promise<T>;
    using value_type = T;

    generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    generator& operator=(generator&& other) noexcept
    {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~generator()
    {
        if (frame_)
            frame_.destroy();
    }

    class next_awaiter {
    public:
        bool await_ready()
        {
            if (frame_.done())
                return true;
            context& current = context::current();
            if (!current.may_nest()) [[unlikely]] {
                current.resume_next(frame_);
                return false;
            }
            frame_.resume();
            return frame_.done() || frame_.promise().has_element();
        }
        void await_suspend(std::coroutine_handle<> reader) noexcept
        {
            frame_.promise().set_caller(reader);
        }
        T* await_resume() { return frame_.promise().element(); }

    private:
        friend generator;
        explicit next_awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame)
        {
            frame.promise().forget();
        }

        std::coroutine_handle<promise_type> frame_;
    };

    /// Run the generator to its next element, which is good until the next call; null when it has ended. Suspends when
    /// the generator blocks. Throws what escapes it, which ends it.
    next_awaiter next() noexcept
    {
        VK_DEBUG_ASSERT(frame_);
        return next_awaiter{frame_};
    }

private:
    friend promise_type;
    explicit generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
generator<T> generator_promise<T>::get_return_object() noexcept
{
    return generator<T>{std::coroutine_handle<generator_promise>::from_promise(*this)};
}

} // namespace detail
} // namespace vk
