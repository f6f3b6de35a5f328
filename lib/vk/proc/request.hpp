#pragma once

// request: what a process asks of the kernel.
//
// A process never touches kernel memory. While it runs it leaves requests in a mailbox that lies outside of
// the kernel's heap; the kernel reads them after the batch.

#include "vk/base/limits.hpp"
#include "vk/base/time.hpp"
#include "vk/memory/mapping.hpp"
#include "vk/proc/process_id.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace vk {

struct descriptor;
class program;

/// Readiness of an fd, and the interest in it, as bits. The first four are those of poll(2).
enum class ready : std::uint8_t {
    none = 0,
    in = 1,       // bytes, a connection or an end may be read
    urgent = 2,   // the stream has an urgent mark (tcp(7)), at which a read stops short
    out = 4,      // there is room to write
    failed = 8,   // an error waits to be read
    hang_up = 16, // the peer will send no more
};

constexpr ready operator|(ready a, ready b) noexcept
{
    return static_cast<ready>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr ready operator&(ready a, ready b) noexcept
{
    return static_cast<ready>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr ready& operator|=(ready& a, ready b) noexcept
{
    return a = a | b;
}
constexpr ready without(ready bits, ready found) noexcept
{
    return static_cast<ready>(static_cast<unsigned>(bits) & ~static_cast<unsigned>(found));
}
constexpr bool any(ready bits) noexcept
{
    return bits != ready::none;
}

/// What an fd is, as far as reading and writing differ.
enum class fd_kind : std::uint8_t {
    other,       // a file, a terminal, a pipe, a listener
    unix_socket, // a connection
    tcp,         // a connection
};

/// What a process wants to be to another one.
enum class bond : std::uint8_t {
    starter, // told that it runs, no more
    monitor, // and told of its end
    parent,  // and it ends with the one who asks, who alone has it drain
    link,    // each ends with the other, unless that ends normally
};

struct request {
    enum class verb : std::uint8_t {
        watch,   // tell `where` when `fd` has what `interest` says
        start,   // start a process of `what` on the connection `fd`, which the kernel then owns
        adopt,   // own `fd`, which the process has made for itself
        close,   // close `fd`, which the process is done with
        vacancy, // wake the process's vacancy waiters when a process has ended
        drain,   // let every process end; asked again, cancel them
        bear,    // start a process of `what`, to which the sender is what `how` says
        monitor, // tell of the end of `whom`
        forget,  // tell no more under `ticket`
        link,    // end the sender and `whom` with each other
        unlink,  // no more
        stop,    // end `whom`, within `span`
    };

    verb what_to_do;
    ready interest = ready::none;
    int fd = -1;
    descriptor* where = nullptr;
    const program* what = nullptr;
    fd_kind kind = fd_kind::other;
    bond how = bond::starter;
    std::uint32_t process = 0; // the sender's place in the process table
    process_id whom{};
    std::uint64_t ticket = 0; // under which the sender's inbox expects the answer
    nanoseconds span = never;
};

/// Requests of one batch, in the order in which they were left.
///
/// Closing cannot wait for the next batch, since the descriptor may be gone by then: there is a place of its own
/// for each fd, which can be closed once in a batch. So it is with what a process does not want to be told any more:
/// each tie there is, or was asked for in this batch, can be forgotten once. Places that were never used cost no
/// memory.
class mailbox {
public:
    /// For a kernel with a table of `fds` and one of `ties`. Throws vk::error.
    explicit mailbox(std::size_t fds = 0, std::size_t ties = 0)
        : closes_max_(ties ? fds + ties + limits::batch_requests_max : fds),
          memory_((limits::batch_requests_max + closes_max_) * sizeof(request))
    {
        static_assert(std::is_trivially_copyable_v<request>);
    }

    /// Whether there is no room but for closing.
    bool full() const noexcept { return count_ - closes_ == limits::batch_requests_max; }

    /// Leave a request; returns false when there is no room.
    bool leave(const request& one) noexcept
    {
        bool in_its_own_place =
            (one.what_to_do == request::verb::close || one.what_to_do == request::verb::forget) &&
            closes_ < closes_max_;
        if (!in_its_own_place && full())
            return false;
        closes_ += in_its_own_place;
        new (requests() + count_) request(one);
        requests()[count_++].process = sender_;
        return true;
    }

    /// Whose requests follow.
    void set_sender(std::uint32_t process) noexcept { sender_ = process; }

    /// Whose place that is.
    std::uint32_t sender() const noexcept { return sender_; }

    const request* begin() const noexcept { return requests(); }
    const request* end() const noexcept { return requests() + count_; }
    void clear() noexcept { count_ = closes_ = 0; }

private:
    request* requests() const noexcept { return reinterpret_cast<request*>(memory_.base()); }

    std::size_t count_ = 0;
    std::size_t closes_ = 0; // of those, the ones in places of their own
    std::size_t closes_max_;
    std::uint32_t sender_ = 0;
    mapping memory_;
};

} // namespace vk
