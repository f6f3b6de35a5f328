#pragma once

// aio: a context of Linux AIO (io_setup(2)), as far as polls need it.
//
// A seam as os.hpp is, and as thin. The events of a context lie in a ring that the system shares with the program
// (fs/aio.c): where there are some, no call is needed to learn of them, and none to learn that there are none.

#include <atomic>
#include <cstdint>

#include <linux/aio_abi.h>

namespace vk::os {

class aio {
public:
    aio() = default;
    aio(const aio&) = delete;
    aio& operator=(const aio&) = delete;

    /// Ends the polls that are under way.
    ~aio();

    /// Have room for `polls` at once. Returns 0 or -errno: EAGAIN where the system grants no more (sysctl fs.aio-max-nr),
    /// so that fewer may be tried; ENOSYS or EPERM where it has or allows no AIO; ENOTSUP where its ring is of another
    /// kind.
    int open(unsigned polls) noexcept;

    /// Begin polls (IOCB_CMD_POLL). A block stays the caller's; the system knows its poll by the address. Returns how
    /// many of `count` were begun, from the first on, or -errno of the first.
    int submit(iocb** blocks, unsigned count) noexcept;

    /// End the poll of `block`, which completes all the same. Returns 0 or -errno.
    int cancel(iocb& block) noexcept;

    /// An eventfd(2) that an edge-triggered watch reports for each event of a block that names it (IOCB_FLAG_RESFD).
    int news() const noexcept { return news_; }

    /// Call `take` with each event that is there now, without a system call. Returns how many there were.
    template <class Take>
    unsigned events(Take take) noexcept
    {
        if (!context_)
            return 0;
        // The system writes `tail` behind the events, and reads `head` before it writes others there.
        std::atomic_ref<unsigned> shared_head(ring()->head);
        std::atomic_ref<unsigned> shared_tail(ring()->tail);
        unsigned head = shared_head.load(std::memory_order_relaxed);
        unsigned count = 0;
        for (unsigned tail = shared_tail.load(std::memory_order_acquire); head != tail; ++count) {
            take(ring()->events()[head]);
            head = head + 1 == ring()->size ? 0 : head + 1;
        }
        if (count > 0)
            shared_head.store(head, std::memory_order_release);
        return count;
    }

private:
    // What lies at the address that is the context.
    struct shared_ring {
        unsigned id;
        unsigned size;
        unsigned head; // the program's
        unsigned tail; // the system's
        unsigned magic;
        unsigned compatible;
        unsigned incompatible;
        unsigned header_bytes;

        const io_event* events() const noexcept
        {
            return reinterpret_cast<const io_event*>(this + 1);
        }
        bool is_known() const noexcept
        {
            return magic == 0xa10a10a1 && incompatible == 0 && header_bytes == sizeof(shared_ring);
        }
    };

    void make_resident() const noexcept;

    shared_ring* ring() const noexcept { return reinterpret_cast<shared_ring*>(context_); }

    aio_context_t context_ = 0;
    int news_ = -1;
};

} // namespace vk::os
