#pragma once

// file: what a descriptor of the simulated system refers to.
//
// A file knows its readiness (level) and tells its watchers of changes (edges): an epoll instance queues
// an item at an edge and asks for the level when the program waits, as Linux does. Which edges there are is
// the file's matter; an edge more than necessary is what real systems give too, an edge less is a defect.
//
// A direction may be *stalled*: the system pretends that what it holds has not arrived yet (or that there
// is no room yet), and gives an edge when the stall ends. So a spurious EAGAIN, or a read that was cut
// short, is a schedule that a real network could have produced.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/types.h>
#include <sys/uio.h>

#include "support/sim/call.hpp"

namespace vk::sim {

class file;

/// Somebody who is told of a file's edges: an item of an epoll instance, or a client.
class watcher {
public:
    /// Readiness may have changed in these bits; 0 stands for all of them.
    virtual void woken(std::uint32_t bits) = 0;

protected:
    ~watcher() = default;
};

class file {
public:
    file() = default;
    file(const file&) = delete;
    file& operator=(const file&) = delete;
    virtual ~file() = default;

    virtual target kind() const noexcept { return target::other; }

    /// Its readiness at this moment, in the bits of epoll.
    virtual std::uint32_t readiness() = 0;

    /// Counts of bytes, or -errno.
    virtual ssize_t read(const iovec*, int) { return -EINVAL; }
    virtual ssize_t write(const iovec*, int) { return -EINVAL; }

    /// Its last descriptor has been closed, and nothing holds it.
    virtual void close() {}

    /// Its last descriptor has been closed: close() it, now or when the last that holds it lets go.
    void abandon();

    /// An operation of io_uring keeps a file open beyond its descriptors.
    void hold() noexcept { ++holders_; }
    void let_go();

    void watch(watcher& one);
    void unwatch(watcher& one) noexcept;

    /// A read or write that finds nothing waits (standard input and output, unless switched over).
    bool blocking = false;

    /// An edge.
    void wake(std::uint32_t bits);

    /// The program has been told of these bits: what it knows, the system cannot take back.
    void report(std::uint32_t bits) noexcept { reported_ |= bits; }
    bool hang_up_reported() const noexcept;

    void stall_input() noexcept { input_stalled_ = true; }
    void stall_output() noexcept { output_stalled_ = true; }
    void end_input_stall();
    void end_output_stall();
    bool input_stalled() const noexcept { return input_stalled_; }
    bool output_stalled() const noexcept { return output_stalled_; }

private:
    std::vector<watcher*> watchers_;
    std::uint32_t reported_ = 0;
    unsigned holders_ = 0;
    bool abandoned_ = false;
    bool input_stalled_ = false;
    bool output_stalled_ = false;
};

/// Standard input, output and error when nobody has taken them: an empty input, and an output that the
/// world remembers.
class terminal final : public file {
public:
    explicit terminal(std::string& output) noexcept : output_{output} {}

    target kind() const noexcept override { return target::terminal; }
    std::uint32_t readiness() override;
    ssize_t read(const iovec*, int) override { return 0; }
    ssize_t write(const iovec* parts, int count) override;

private:
    std::string& output_;
};

/// Sum of the lengths of `count` parts.
std::size_t bytes_of(const iovec* parts, int count) noexcept;

} // namespace vk::sim
