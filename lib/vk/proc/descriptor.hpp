#pragma once

// descriptor: a file descriptor as its process sees it.
//
// It mirrors what is known of the fd without asking the system: whether a read or a write can succeed. Reads
// and writes are tried only while the mirror says so, and the mirror is corrected by what they return and by
// what the poller reports:
//
//   may_read   after an edge, until a read was short or said EAGAIN
//   may_write  until a write was short or said EAGAIN, and again after an edge
//   hang_up    the peer ended its side before the last edge; once drained, that is the end of the stream
//   there      bytes that the last edge told of and that were not read since: with them the fd is drained; 0 where
//              edges do not tell
//   exact      where that is not told, a read that returned less than was asked has drained the fd. So it is
//              with TCP, but for an urgent mark and an error behind bytes, which the poller reports; not with
//              unix sockets (a message with descriptors ends a read), terminals (a line at a time) and packet
//              pipes, which are read until EAGAIN
//
// It lies in the process's heap. The kernel knows its address from the first watch request and touches it
// only to hand over fresh readiness, while the heap is open. The fd itself belongs to the kernel, which closes
// it when the process ends.

#include "vk/proc/request.hpp"
#include "vk/proc/thread.hpp"

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <cstdint>

namespace vk {

struct dirty_tag;
struct watched_tag;
using dirty_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<dirty_tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

using watched_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<watched_tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct chore;
class completions;

struct descriptor : dirty_hook, watched_hook {
    explicit descriptor(int number, fd_kind what = fd_kind::other) noexcept
        : fd(number), kind(what), is_socket(what != fd_kind::other), exact(what == fd_kind::tcp)
    {
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    int fd;
    fd_kind kind;
    bool may_read = true;
    bool may_write = true;
    bool hang_up = false;
    bool is_socket; // recv(2) and send(2) apply
    bool exact;
    bool closing = false; // the process is done with it
    std::uint16_t there = 0;
    ready interest = ready::none; // what the next watch request asks for
    wait_list* readers = nullptr; // who waits for bytes
    wait_list* writers = nullptr; // who waits for room
    chore* on_writable = nullptr; // what is due when there is room again
    completions* by =
        nullptr; // who receives and sends in its stead; set by the driver, and for good

    /// Whether the poller was told of it: it is in its process's list of those.
    bool watched() const noexcept { return watched_hook::is_linked(); }

    /// Of `there`: more than can be told, or nobody knows how much. It is read until the system says that nothing is left.
    static constexpr std::uint16_t uncounted = 0xffff;

    /// A read returned `bytes`, `less` than was asked or all of it.
    void took(std::size_t bytes, bool less) noexcept
    {
        if (there == 0) [[likely]] {
            if (less)
                may_read = !exact;
        } else if (there != uncounted) {
            there -= static_cast<std::uint16_t>(std::min<std::size_t>(bytes, there));
            may_read = there > 0; // what has come since is an edge
        }
    }

    /// A read said EAGAIN, or the end: there is nothing more until an edge.
    void drained() noexcept
    {
        may_read = false;
        there = 0;
    }

    /// A write took less than was offered, or EAGAIN.
    void filled() noexcept { may_write = false; }

    /// The stream has ended, as far as is known without a read.
    bool at_end() const noexcept { return hang_up && !may_read; }
};

} // namespace vk
