#pragma once

// task_function: a coroutine function as a value, with the message that all its calls share.
//
// It is what a server is given: for each connection a service, for each request a handler.

#include "vk/coroutine/task.hpp"

#include <type_traits>

namespace vk {

template <class... Args>
class task_function {
public:
    using function = task<> (*)(Args... args);

    /// A function without a message.
    task_function(
        function run) noexcept // NOLINT(google-explicit-constructor): that is what it stands for
        : call_([](const task_function& self, Args... args) {
              return reinterpret_cast<function>(self.function_)(args...);
          }),
          function_(reinterpret_cast<void (*)()>(run))
    {
    }

    /// A lambda that captures nothing.
    template <class Lambda>
        requires std::is_convertible_v<Lambda, function> && (!std::is_same_v<Lambda, function>)
    task_function(Lambda run) noexcept // NOLINT(google-explicit-constructor)
        : task_function(static_cast<function>(run))
    {
    }

    /// A function whose every call gets `message`, which must outlive the server. It lies outside of the
    /// processes' heaps: what one call changes in it, all see.
    template <class Message>
    task_function(task<> (*run)(Args... args, Message& message),
                  std::type_identity_t<Message>& message) noexcept
        : call_([](const task_function& self, Args... args) {
              auto* typed = reinterpret_cast<task<> (*)(Args..., Message&)>(self.function_);
              return typed(args..., *static_cast<Message*>(self.message_));
          }),
          function_(reinterpret_cast<void (*)()>(run)),
          message_(const_cast<void*>(static_cast<const void*>(&message)))
    {
    }

    task<> operator()(Args... args) const { return call_(*this, args...); }

private:
    task<> (*call_)(const task_function&, Args...);
    void (*function_)();
    void* message_ = nullptr;
};

} // namespace vk
