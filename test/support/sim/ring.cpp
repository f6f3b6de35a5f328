#include "support/sim/ring.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>

#include "support/sim/world.hpp"

namespace vk::sim {

namespace {

constexpr std::uint32_t always = EPOLLERR | EPOLLHUP | EPOLLRDHUP;

// Operations that one enter completes (IO_LOCAL_TW_DEFAULT_MAX), and times that one receives before the others have
// their turn (MULTISHOT_MAX_RETRY).
constexpr std::size_t enter_max = 20;
constexpr int receives_max = 32;

bool is_skipped(const io_uring_sqe& asked) noexcept
{
    return (asked.flags & IOSQE_CQE_SKIP_SUCCESS) != 0;
}

} // namespace

// --- operations -------------------------------------------------------------------------------------

ring::operation::operation(ring& its_owner, const io_uring_sqe& asked, std::shared_ptr<file> on)
    : owner{its_owner},
      about{asked.user_data},
      fd{asked.fd},
      receives{asked.opcode == IORING_OP_RECV},
      goes_on{receives || (asked.len & IORING_POLL_ADD_MULTI) != 0},
      wanted{receives ? EPOLLIN | always : asked.poll32_events | always},
      to{std::move(on)}
{
    to->hold();
    to->watch(*this);
}

ring::operation::~operation()
{
    std::erase(owner.due_, this);
    to->unwatch(*this);
    to->let_go();
}

void ring::operation::woken(std::uint32_t bits)
{
    if (bits != 0 && (bits & wanted) == 0)
        return;
    if ((bits & EPOLLIN) != 0)
        bits |= EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND; // sock_def_readable() says all of it
    owner.make_due(*this, bits);
}

// --- queues -----------------------------------------------------------------------------------------

ring::ring(world& in, io_uring& shared, unsigned submissions, unsigned completions)
    : world_{in},
      submissions_(submissions),
      completions_(completions),
      sq_tail_{&shared.sq.sqe_tail}
{
    shared = {};
    shared.sq.khead = &sq_head_;
    shared.sq.ktail = sq_tail_;
    shared.sq.kflags = &sq_flags_;
    shared.sq.sqes = submissions_.data();
    shared.sq.ring_entries = submissions;
    shared.sq.ring_mask = submissions - 1;
    shared.cq.khead = &cq_head_;
    shared.cq.ktail = &cq_tail_;
    shared.cq.cqes = completions_.data();
    shared.cq.ring_entries = completions;
    shared.cq.ring_mask = completions - 1;
}

ring::~ring()
{
    operations_.clear();
}

void ring::provide(io_uring_buf_ring& from, unsigned count) noexcept
{
    buffers_ = &from;
    buffer_count_ = count;
    buffer_head_ = 0;
}

bool ring::fits() const noexcept
{
    return overflow_.empty() && ready() < completions_.size();
}

void ring::put(const completion& one) noexcept
{
    io_uring_cqe& to = completions_[cq_tail_ % completions_.size()];
    to.user_data = one.about;
    to.res = one.result;
    to.flags = one.flags;
    ++cq_tail_;
}

// A completion of what goes on; false if it has to end with this one.
bool ring::post_more(const operation& one, int result, unsigned flags)
{
    if (!fits() || ending_ || world_.dice().chance(world_.how().noise.early_end)) {
        world_.note(happening::early_end);
        return false;
    }
    post(one.about, result, flags | IORING_CQE_F_MORE);
    return true;
}

void ring::post(std::uint64_t about, int result, unsigned flags)
{
    const completion made{about, result, flags};
    if (fits())
        return put(made);
    overflow_.push_back(made);
    sq_flags_ |= IORING_SQ_CQ_OVERFLOW;
    world_.note(happening::overflow);
}

void ring::bring_overflow() noexcept
{
    while (!overflow_.empty() && ready() < completions_.size()) {
        put(overflow_.front());
        overflow_.pop_front();
    }
    if (overflow_.empty())
        sq_flags_ &= ~IORING_SQ_CQ_OVERFLOW;
}

// --- submitting -------------------------------------------------------------------------------------

unsigned ring::submit()
{
    unsigned taken = 0;
    for (; sq_head_ != *sq_tail_; ++taken) {
        const io_uring_sqe asked = submissions_[sq_head_ % submissions_.size()];
        ++sq_head_;
        begin(asked);
    }
    return taken;
}

void ring::begin(const io_uring_sqe& asked)
{
    if (asked.opcode == IORING_OP_ASYNC_CANCEL)
        return cancel(asked);
    auto on = world_.find(asked.fd);
    if (!on)
        return post(asked.user_data, -EBADF, 0);
    if (asked.opcode == IORING_OP_SEND)
        return send(asked, on);
    start(asked, std::move(on));
}

void ring::send(const io_uring_sqe& asked, const std::shared_ptr<file>& on)
{
    const iovec part{reinterpret_cast<void*>(asked.addr), asked.len};
    const std::int64_t sent = world_.operate(call::uring_send, asked.fd, on, part);
    if (sent != static_cast<std::int64_t>(asked.len) || !is_skipped(asked))
        post(asked.user_data, static_cast<int>(sent), 0);
}

void ring::start(const io_uring_sqe& asked, std::shared_ptr<file> on)
{
    if (asked.opcode == IORING_OP_POLL_ADD) {
        const std::int64_t result = world_.operate(call::uring_poll, asked.fd, on, {});
        if (result < 0)
            return post(asked.user_data, static_cast<int>(result), 0);
    }
    operation& one =
        *operations_.emplace_back(std::make_unique<operation>(*this, asked, std::move(on)));
    if (one.receives)
        return make_due(one, 0);
    if (const std::uint32_t found = one.to->readiness() & one.wanted; found != 0) {
        one.to->report(found); // whatever happens before it completes
        make_due(one, found);
    }
}

// One that was to complete anyway may do so before, and then may have nothing left to be cancelled.
void ring::cancel(const io_uring_sqe& asked)
{
    const auto find = [&] {
        return std::ranges::find_if(operations_, [&](const auto& one) {
            return one->about == asked.addr && !one->cancelled;
        });
    };
    auto found = find();
    if (found != operations_.end() && (*found)->due &&
        world_.dice().chance(world_.how().noise.deferred)) {
        std::erase(due_, found->get());
        ending_ = true;
        run(**found);
        ending_ = false;
        found = find();
    }
    if (found == operations_.end()) {
        world_.note(happening::lost_race);
        return post(asked.user_data, -ENOENT, 0);
    }
    (*found)->cancelled = true;
    make_due(**found, 0);
    if (!is_skipped(asked))
        post(asked.user_data, 0, 0);
}

// --- completing -------------------------------------------------------------------------------------

void ring::make_due(operation& one, std::uint32_t key)
{
    one.key = one.due ? 0 : key; // woken twice, it looks for itself
    if (!std::exchange(one.due, true))
        due_.push_back(&one);
}

void ring::wake_any()
{
    sim::dice& roll = world_.dice();
    if (operations_.empty() || !roll.chance(world_.how().noise.stray_edge))
        return;
    make_due(*operations_[roll.below(operations_.size())], 0);
}

ring::operation* ring::take_due()
{
    sim::dice& roll = world_.dice();
    const bool any = roll.chance(world_.how().noise.deferred);
    const std::size_t which = any ? roll.below(due_.size()) : 0;
    operation* const one = due_[which];
    due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(which));
    return one;
}

unsigned ring::complete(bool must)
{
    bring_overflow();
    wake_any();
    sim::dice& roll = world_.dice();
    std::size_t left = std::min(due_.size(), enter_max);
    if (roll.chance(world_.how().noise.deferred))
        left = roll.below(left + 1);
    while (!due_.empty() && (left > 0 || (must && ready() == 0))) {
        left -= left > 0;
        run(*take_due());
    }
    return ready();
}

void ring::run(operation& one)
{
    one.due = false;
    if (one.cancelled)
        end(one, -ECANCELED);
    else if (one.receives)
        receive(one);
    else
        look(one);
}

void ring::look(operation& one)
{
    std::uint32_t found = std::exchange(one.key, 0);
    if (found == 0)
        found = one.to->readiness();
    found &= one.wanted;
    if (found == 0)
        return;
    one.to->report(found);
    const auto result = static_cast<int>(found);
    if (!one.goes_on || !post_more(one, result, 0))
        end(one, result);
}

// As long as something comes; the next edge goes on.
void ring::receive(operation& one)
{
    for (int times = 0; times < receives_max; ++times) {
        const io_uring_buf* const free = buffer();
        if (!free) {
            world_.note(happening::starved);
            return end(one, -ENOBUFS);
        }
        const iovec part{reinterpret_cast<void*>(free->addr), free->len};
        const auto got =
            static_cast<int>(world_.operate(call::uring_receive, one.fd, one.to, part));
        if (got == -EAGAIN)
            return;
        if (got <= 0)
            return end(one, got);
        const unsigned flags = IORING_CQE_F_BUFFER | static_cast<unsigned>(free->bid)
                                                         << IORING_CQE_BUFFER_SHIFT;
        ++buffer_head_;
        if (!post_more(one, got, flags))
            return end(one, got, flags);
    }
    make_due(one, 0);
}

/// The next that may be filled. None at times: they may be with others.
io_uring_buf* ring::buffer() noexcept
{
    if (!buffers_ || buffer_head_ == buffers_->tail ||
        world_.dice().chance(world_.how().noise.early_end / 4))
        return nullptr;
    return &buffers_->bufs[buffer_head_ % buffer_count_];
}

void ring::end(operation& one, int result, unsigned flags)
{
    const std::uint64_t about = one.about;
    std::erase_if(operations_, [&](const auto& each) { return each.get() == &one; });
    post(about, result, flags);
}

} // namespace vk::sim
