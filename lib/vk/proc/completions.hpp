#pragma once

// completions: streams of which a driver receives and sends what processes read and write.
//
// In place of recv(2) and send(2) a socket calls these. Bytes that came lie with the driver until they are read; bytes
// that are written lie with the driver until its next wait, which sends for all processes at once.

#include <cstddef>

#include <sys/types.h>

namespace vk {

class completions {
public:
    /// As recv(2), without blocking: up to `bytes` of what has come, in order. Less than `bytes` is all there is.
    virtual ssize_t receive(int fd, void* to, std::size_t bytes) noexcept = 0;

    /// Whether receive() would find bytes, or the end, without asking the system.
    virtual bool has_received(int fd) const noexcept = 0;

    /// As send(2), without blocking. What is taken has not been given to the system yet, unless it was much.
    virtual ssize_t send(int fd, const void* from, std::size_t bytes) noexcept = 0;

    /// Give the system what send() took: before the stream is written, or ended, in another way. Returns 0, -EAGAIN
    /// while there is no room, or the error that ended the output.
    virtual int push(int fd) noexcept = 0;

protected:
    ~completions() = default;
};

} // namespace vk
