#pragma once

// ring: the system's side of a simulated io_uring, with the rules of Linux 6.18 as a program sees them.
//
// The program's side is liburing's own: its inline functions work on a struct io_uring whose queues lie in
// memory of the ring's.
//
// - What was prepared is submitted in its order. A send is done then; what is received or polled completes
//   within a later wait, or goes on (multishot) until it ends: a completion without IORING_CQE_F_MORE.
// - An operation holds its file open. One that is cancelled completes, in its time, with ECANCELED.
// - A poll that was woken says what woke it, with hints (POLLPRI), and does not look again; woken more than once it
//   looks. It always tells of an error and of a hang-up.
// - A receive without a buffer to fill ends with ENOBUFS, before it looks whether anything came.
// - Completions that do not fit are kept, IORING_SQ_CQ_OVERFLOW says so, and the next wait brings them. What would go
//   on ends when its completion does not fit.

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <liburing.h>

#include "support/sim/file.hpp"

namespace vk::sim {

class world;

class ring final : public file {
public:
    /// `shared` is set up to be used with this ring, for as long as that lives.
    ring(world& in, io_uring& shared, unsigned submissions, unsigned completions);
    ~ring() override;

    std::uint32_t readiness() override { return 0; } // none is polled
    void close() override { operations_.clear(); }

    /// Buffers that receives fill, `count` at most.
    void provide(io_uring_buf_ring& from, unsigned count) noexcept;

    /// Take what was prepared; how many.
    unsigned submit();

    /// Complete what is due: as much as a wait completes, and at least one if `must`. Returns the completions that
    /// the program has not taken.
    unsigned complete(bool must);

private:
    struct completion {
        std::uint64_t about;
        int result;
        unsigned flags;
    };

    class operation final : public watcher {
    public:
        operation(ring& owner, const io_uring_sqe& from, std::shared_ptr<file> on);
        ~operation();
        operation(const operation&) = delete;
        operation& operator=(const operation&) = delete;

        void woken(std::uint32_t bits) override;

        ring& owner;
        std::uint64_t about;
        int fd; // that it was asked for by
        bool receives;
        bool goes_on;
        std::uint32_t wanted; // in the bits of epoll
        std::shared_ptr<file> to;
        std::uint32_t key = 0;
        bool due = false;
        bool cancelled = false;
    };

    void begin(const io_uring_sqe& asked);
    void send(const io_uring_sqe& asked, const std::shared_ptr<file>& on);
    void start(const io_uring_sqe& asked, std::shared_ptr<file> on);
    void cancel(const io_uring_sqe& asked);

    void make_due(operation& one, std::uint32_t key);
    void wake_any();
    operation* take_due();
    void run(operation& one);
    void look(operation& one);
    void receive(operation& one);
    io_uring_buf* buffer() noexcept;
    void end(operation& one, int result, unsigned flags = 0);

    bool fits() const noexcept;
    bool post_more(const operation& one, int result, unsigned flags);
    void post(std::uint64_t about, int result, unsigned flags);
    void put(const completion& one) noexcept;
    void bring_overflow() noexcept;
    unsigned ready() const noexcept { return cq_tail_ - cq_head_; }

    world& world_;
    std::vector<std::unique_ptr<operation>> operations_; // that are under way
    std::vector<operation*> due_;
    bool ending_ = false; // what goes on ends with its next completion

    // What the program shares.
    std::vector<io_uring_sqe> submissions_;
    std::vector<io_uring_cqe> completions_;
    unsigned* sq_tail_;
    unsigned sq_head_ = 0;
    unsigned sq_flags_ = 0;
    unsigned cq_head_ = 0;
    unsigned cq_tail_ = 0;
    std::deque<completion> overflow_;

    io_uring_buf_ring* buffers_ = nullptr;
    unsigned buffer_count_ = 0;
    std::uint16_t buffer_head_ = 0;
};

} // namespace vk::sim
