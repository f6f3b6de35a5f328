#pragma once

// handler: the coroutine that answers a request, with the message that all its requests share.

#include "vk/coroutine/task.hpp"

#include <type_traits>

namespace vk::http {

class request;
class response;

class handler {
public:
    using function = task<> (*)(request& req, response& res);

    /// A handler without a message.
    handler(
        function answer) noexcept // NOLINT(google-explicit-constructor): a function is a handler
        : call_([](const handler& self, request& req, response& res) {
              return reinterpret_cast<function>(self.function_)(req, res);
          }),
          function_(reinterpret_cast<void (*)()>(answer))
    {
    }

    /// A lambda that captures nothing.
    template <class Lambda>
        requires std::is_convertible_v<Lambda, function> && (!std::is_same_v<Lambda, function>)
    handler(Lambda answer) noexcept // NOLINT(google-explicit-constructor)
        : handler(static_cast<function>(answer))
    {
    }

    /// A handler whose every request gets `message`, which must outlive the server. It lies outside of the
    /// processes' heaps: what one request changes in it, all see.
    template <class Message>
    handler(task<> (*answer)(request& req, response& res, Message& message),
            std::type_identity_t<Message>& message) noexcept
        : call_([](const handler& self, request& req, response& res) {
              auto* typed =
                  reinterpret_cast<task<> (*)(request&, response&, Message&)>(self.function_);
              return typed(req, res, *static_cast<Message*>(self.message_));
          }),
          function_(reinterpret_cast<void (*)()>(answer)),
          message_(const_cast<void*>(static_cast<const void*>(&message)))
    {
    }

    task<> operator()(request& req, response& res) const { return call_(*this, req, res); }

private:
    task<> (*call_)(const handler&, request&, response&);
    void (*function_)();
    void* message_ = nullptr;
};

} // namespace vk::http
