#pragma once

// outgoing: a connection that a process makes itself.
//
//     vk::outgoing upstream;
//     co_await upstream.connect(where, 2s);
//     co_await upstream.io().write("hello\n");
//
// It lives in the coroutine's frame, with its descriptor and its socket. The process makes the fd and has the
// kernel own it, so that it is closed whatever becomes of the process. Connecting does not block the kernel:
// connect(2) says EINPROGRESS, the poller says when there is an answer, and SO_ERROR says which.
//
// The socket reads on while the process drains: what was asked of the other side is still answered.

#include "vk/base/os.hpp"
#include "vk/io/socket.hpp"
#include "vk/service/address.hpp"

#include <chrono>
#include <optional>
#include <source_location>

namespace vk {

class outgoing;

class [[nodiscard]] connect_awaiter {
public:
    connect_awaiter(outgoing& made, const address& to, nanoseconds deadline,
                    std::source_location where) noexcept
        : made_(&made), to_(&to), deadline_(deadline), where_(where)
    {
    }

    bool await_ready() noexcept { return (state_ = attempt()) == progress::done; }
    void await_suspend(std::coroutine_handle<> caller) noexcept;
    void await_resume();

private:
    static constexpr const char* operation = "connect";

    progress attempt() noexcept;
    progress open() noexcept;
    progress connect() noexcept;
    progress answer() noexcept;
    progress establish() noexcept;
    progress fail(int error) noexcept;
    [[noreturn, gnu::cold]] void throw_error() const;

    outgoing* made_;
    const address* to_;
    nanoseconds deadline_;
    std::source_location where_;
    int error_ = 0;
    progress state_ = progress::done;
    bool asked_ = false; // the system connects
    bool suspended_ = false;
};

class outgoing {
public:
    using location = std::source_location;

    /// Not connected yet. Belongs to the process that runs.
    outgoing() noexcept : owner_(&process::current()) {}

    /// As close().
    ~outgoing() { close(); }
    outgoing(const outgoing&) = delete;
    outgoing& operator=(const outgoing&) = delete;

    /// Connect to `to`, which must stay good until then, within `timeout`; zero is without limit. Suspends until
    /// the other side has answered; ended early by cancellation. Throws vk::error with what the system said
    /// (ECONNREFUSED, EMFILE, ...) or timed_out, and then has closed what it opened: it can be called again. Calling
    /// it while connected is the caller's bug.
    [[nodiscard]] connect_awaiter connect(const address& to, std::chrono::nanoseconds timeout = {},
                                          location where = location::current()) noexcept;

    bool connected() const noexcept { return io_.has_value(); }

    /// The stream; only while connected. Good until close().
    socket& io() noexcept
    {
        VK_REQUIRE(io_.has_value());
        return *io_;
    }

    /// Whether nothing has come that was not read, the end of the stream included: what a connection that was
    /// idle must be to be used again. Asks the system.
    bool quiet() const noexcept;

    /// Close the connection. What was written and not flushed is offered to the system once. No thread may be
    /// blocked on it.
    void close() noexcept;

private:
    friend class connect_awaiter;

    process* owner_;
    std::optional<descriptor> at_; // from the time the fd is open
    std::optional<socket> io_;     // from the time it is connected
    wait_list connecting_;         // who waits for that
};

inline connect_awaiter outgoing::connect(const address& to, std::chrono::nanoseconds timeout,
                                         location where) noexcept
{
    VK_REQUIRE(!at_.has_value());
    bool limited = timeout.count() > 0;
    return {*this, to, limited ? after(os::now(), timeout.count()) : never, where};
}

} // namespace vk
