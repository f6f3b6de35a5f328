#pragma once

// owned_fd: an fd that a process has opened for itself, and that is closed whatever becomes of the process.
//
// A process may end without its destructors being run. So its kernel owns the fd, and this asks for its closing,
// which happens after the dispatch. Without a kernel it closes the fd itself.

#include "vk/base/error.hpp"
#include "vk/base/os.hpp"
#include "vk/proc/process.hpp"
#include "vk/proc/yield.hpp"

#include <cerrno>
#include <utility>

namespace vk {

class owned_fd {
public:
    /// Wait until the kernel can be told of one more fd: to be awaited before it is opened, with nothing between.
    static task<> room()
    {
        while (
            process::current().shared().requests.full()) { // it is emptied before the next dispatch
            process::current().spend_all();
            co_await yield();
        }
    }

    /// Own `fd`, which was opened just now. Throws vk::error (EMFILE) and closes it when its number is beyond the kernel's
    /// table.
    explicit owned_fd(int fd) : fd_(fd)
    {
        commons& shared = process::current().shared();
        if (shared.fds == 0)
            return;
        if (static_cast<std::size_t>(fd) >= shared.fds) {
            (void)os::close(fd);
            raise(EMFILE, "keep a file descriptor");
        }
        request wanted{request::verb::adopt};
        wanted.fd = fd;
        VK_REQUIRE(shared.requests.leave(wanted));
    }

    owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    owned_fd& operator=(owned_fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~owned_fd()
    {
        if (fd_ < 0)
            return;
        commons& shared = process::current().shared();
        request wanted{request::verb::close};
        wanted.fd = fd_;
        if (shared.fds == 0)
            (void)os::close(fd_);
        else
            VK_ASSERT(shared.requests.leave(wanted)); // there is a place for each fd
    }

    int number() const noexcept { return fd_; }

private:
    int fd_;
};

} // namespace vk
