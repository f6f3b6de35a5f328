#pragma once

// service: the coroutine that serves a connection, with the message that all its connections share.

#include "vk/coroutine/task.hpp"
#include "vk/io/socket.hpp"

#include <type_traits>

namespace vk {

class service {
public:
    using function = task<> (*)(socket& io);

    /// A service without a message.
    service(function serve) noexcept // NOLINT(google-explicit-constructor): a function is a service
        : call_([](const service& self, socket& io) {
              return reinterpret_cast<function>(self.function_)(io);
          }),
          function_(reinterpret_cast<void (*)()>(serve))
    {
    }

    /// A lambda that captures nothing.
    template <class Lambda>
        requires std::is_convertible_v<Lambda, function> && (!std::is_same_v<Lambda, function>)
    service(Lambda serve) noexcept // NOLINT(google-explicit-constructor)
        : service(static_cast<function>(serve))
    {
    }

    /// A service whose every connection gets `message`, which must outlive the server. It lies outside of the
    /// processes' heaps: what one connection changes in it, all see.
    template <class Message>
    service(task<> (*serve)(socket& io, Message& message),
            std::type_identity_t<Message>& message) noexcept
        : call_([](const service& self, socket& io) {
              auto* typed = reinterpret_cast<task<> (*)(socket&, Message&)>(self.function_);
              return typed(io, *static_cast<Message*>(self.message_));
          }),
          function_(reinterpret_cast<void (*)()>(serve)),
          message_(const_cast<void*>(static_cast<const void*>(&message)))
    {
    }

    task<> operator()(socket& io) const { return call_(*this, io); }

private:
    task<> (*call_)(const service&, socket&);
    void (*function_)();
    void* message_ = nullptr;
};

} // namespace vk
