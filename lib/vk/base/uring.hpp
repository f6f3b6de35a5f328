#pragma once

// uring: an io_uring instance (io_uring(7)) with a ring of provided buffers.
//
// A seam as os.hpp is, and as thin: what is prepared goes to the system with the next enter(), completions are
// taken from memory that is shared with it. One thread enters, the first that does: completions are made in its calls
// to enter() alone (IORING_SETUP_DEFER_TASKRUN), so nothing changes under it between two of them.
//
// `about` is what a completion brings back of its operation.

#include <cstddef>
#include <cstdint>

#include <liburing.h>

namespace vk::os {

class uring {
public:
    uring() = default;
    uring(const uring&) = delete;
    uring& operator=(const uring&) = delete;
    ~uring();

    /// Returns 0 or -errno: ENOSYS or EPERM where the system has or allows no io_uring, EINVAL where it is too old
    /// for what is asked of it here (Linux 6.1).
    int open(unsigned submissions, unsigned completions) noexcept;

    /// Provide `count` buffers, a power of two, of `bytes` each, `stride` bytes apart from `memory` on, which stays
    /// the caller's. All of it is resident then: the system fills one buffer after the other, so that it would come
    /// to that soon. Returns 0 or -errno.
    int provide(std::byte* memory, unsigned count, unsigned bytes, unsigned stride) noexcept;

    // --- prepare

    /// Report once, or each time (multishot, edge-triggered), that `fd` has one of `events` (poll(2)).
    void poll(int fd, unsigned events, bool each_time, std::uint64_t about) noexcept
    {
        io_uring_sqe* to = place();
        ::io_uring_prep_poll_add(to, fd, events);
        if (each_time)
            to->len |= IORING_POLL_ADD_MULTI;
        to->user_data = about;
    }

    /// Receive what comes, again and again, into provided buffers.
    void receive(int fd, std::uint64_t about) noexcept
    {
        io_uring_sqe* to = place();
        ::io_uring_prep_recv_multishot(to, fd, nullptr, 0, 0);
        to->flags |= IOSQE_BUFFER_SELECT;
        to->buf_group = group;
        to->user_data = about;
    }

    /// Send without waiting for room. Completes only when less than all was taken; else the next enter() has sent
    /// all, and is done with the memory in either case.
    void send(int fd, const void* from, std::size_t bytes, std::uint64_t about) noexcept
    {
        io_uring_sqe* to = place();
        ::io_uring_prep_send(to, fd, from, bytes, MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT);
        to->flags |= IOSQE_CQE_SKIP_SUCCESS;
        to->user_data = about;
    }

    /// End the operation about `ended`, if it is still under way; it completes. Completes, about `about`, when there
    /// was none.
    void cancel(std::uint64_t ended, std::uint64_t about) noexcept
    {
        io_uring_sqe* to = place();
        ::io_uring_prep_cancel64(to, ended, 0);
        to->flags |= IOSQE_CQE_SKIP_SUCCESS;
        to->user_data = about;
    }

    // --- enter

    /// Submit all that was prepared and wait for a completion, for `timeout` nanoseconds at most; 0 does not block, below
    /// 0 is without limit (io_uring_enter(2)). Returns -errno or 0 or more; the end of the timeout is -ETIME.
    int enter(std::int64_t timeout) noexcept;

    /// Call `take` with each completion: what it is about, its result, and its flags (IORING_CQE_F_*). Returns how
    /// many there were.
    template <class Take>
    unsigned completions(Take take) noexcept
    {
        unsigned head = 0;
        unsigned taken = 0;
        io_uring_cqe* one = nullptr;
        io_uring_for_each_cqe(&ring_, head, one)
        {
            take(one->user_data, one->res, one->flags);
            ++taken;
        }
        ::io_uring_cq_advance(&ring_, taken);
        return taken;
    }

    /// Whether completions did not fit and are kept by the system until the next enter().
    bool overflown() const noexcept { return ::io_uring_cq_has_overflow(&ring_); }

    static constexpr bool more(unsigned flags) noexcept { return flags & IORING_CQE_F_MORE; }
    static constexpr bool has_buffer(unsigned flags) noexcept
    {
        return flags & IORING_CQE_F_BUFFER;
    }
    static constexpr unsigned buffer_of(unsigned flags) noexcept
    {
        return flags >> IORING_CQE_BUFFER_SHIFT;
    }

    /// Provide a buffer again that a completion brought.
    void give_back(unsigned buffer) noexcept
    {
        ::io_uring_buf_ring_add(provided_, memory_ + std::size_t{buffer} * stride_, bytes_,
                                static_cast<unsigned short>(buffer), static_cast<int>(count_) - 1,
                                0);
        ::io_uring_buf_ring_advance(provided_, 1);
    }

private:
    // A place for what is prepared; where there is none left, what was is submitted.
    io_uring_sqe* place() noexcept
    {
        io_uring_sqe* free = ::io_uring_get_sqe(&ring_);
        return free ? free : place_after_submit();
    }
    io_uring_sqe* place_after_submit() noexcept;
    void enable() noexcept;
    int enter_once(std::int64_t timeout) noexcept;
    int wait_for(std::int64_t timeout) noexcept;
    bool submitted() const noexcept { return ::io_uring_sq_ready(&ring_) == 0; }

    static constexpr unsigned short group = 0;

    io_uring ring_{};
    bool open_ = false;
    bool entered_ = false;
    io_uring_buf_ring* provided_ = nullptr;
    std::byte* memory_ = nullptr;
    unsigned count_ = 0;
    unsigned bytes_ = 0;
    unsigned stride_ = 0;
};

} // namespace vk::os
