#pragma once

// aio_context: a simulated context of Linux AIO, with the rules of fs/aio.c for polls. As a file it is the eventfd(2) that
// its events add to, which nobody reads.
//
// - A poll that finds something when it is begun completes at once.
// - One that is woken completes with the waker's word, which is a hint (POLLPRI); or, where that cannot be done then, the
//   file is looked at a while later, and the poll goes on if nothing is found.
// - A poll holds its file open. One that is cancelled completes, in its time, with nothing found.
// - Events lie in a ring that the program reads by itself. A poll that may not fit is not begun.

#include <cstdint>
#include <memory>
#include <vector>

#include <linux/aio_abi.h>

#include "support/sim/file.hpp"

namespace vk::sim {

class world;

/// What the program shares: a place stays free, so that a full ring is not an empty one.
struct aio_events {
    unsigned* head = nullptr;
    unsigned* tail = nullptr;
    unsigned size = 0;
    io_event* at = nullptr;
};

class aio_context final : public file {
public:
    aio_context(world& in, const aio_events& shared) : world_{in}, events_{shared} {}
    ~aio_context() override { close(); }

    std::uint32_t readiness() override;
    void close() override;

    /// 0, -EAGAIN where its event may not fit, or -EINVAL for what is no poll that tells this file.
    int begin(const iocb& asked, std::shared_ptr<file> on);

    /// Whether there was a poll of `block`.
    bool cancel(const iocb& block);

private:
    class poll final : public watcher, public std::enable_shared_from_this<poll> {
    public:
        poll(aio_context& owner, const iocb& asked, std::shared_ptr<file> on);
        ~poll();
        poll(const poll&) = delete;
        poll& operator=(const poll&) = delete;

        void woken(std::uint32_t bits) override;
        void look();
        void look_later();
        void complete(std::uint32_t found);

        aio_context& owner;
        const iocb* block;
        std::uint64_t data;
        std::uint32_t wanted; // in the bits of epoll
        std::shared_ptr<file> to;
        bool cancelled = false;
        bool done = false;
    };

    unsigned unread() const noexcept;

    world& world_;
    aio_events events_;
    bool told_ = false; // of an event
    std::vector<std::shared_ptr<poll>>
        polls_; // those that are done go with the next that the world does
};

} // namespace vk::sim
