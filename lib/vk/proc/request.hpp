#pragma once

// request: what a process asks of the kernel.
//
// A process never touches kernel memory. While it runs it leaves requests in a mailbox that lies outside of
// the kernel's heap; the kernel reads them after the batch.

#include "vk/base/limits.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

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
constexpr bool any(ready bits) noexcept
{
    return bits != ready::none;
}

struct request {
    enum class verb : std::uint8_t {
        watch,   // tell `where` when `fd` has what `interest` says
        start,   // start a process of `what` on the connection `fd`, which the kernel then owns
        close,   // close `fd`, which the process is done with
        vacancy, // wake the process's vacancy waiters when a process has ended
        drain,   // let every process end; asked again, cancel them
    };

    verb what_to_do;
    ready interest = ready::none;
    int fd = -1;
    descriptor* where = nullptr;
    const program* what = nullptr;
    std::uint32_t process = 0; // the sender's place in the process table
};

/// Requests of one batch, in the order in which they were left.
class mailbox {
public:
    bool full() const noexcept { return count_ == requests_.size(); }

    /// Leave a request; returns false when there is no room.
    bool leave(const request& one) noexcept
    {
        if (full())
            return false;
        requests_[count_] = one;
        requests_[count_++].process = sender_;
        return true;
    }

    /// Whose requests follow.
    void set_sender(std::uint32_t process) noexcept { sender_ = process; }

    const request* begin() const noexcept { return requests_.data(); }
    const request* end() const noexcept { return requests_.data() + count_; }
    void clear() noexcept { count_ = 0; }

private:
    std::size_t count_ = 0;
    std::uint32_t sender_ = 0;
    std::array<request, limits::batch_requests_max> requests_;
};

} // namespace vk
