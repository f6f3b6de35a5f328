#include "vk/proc/process.hpp"

#include "vk/base/error.hpp"
#include "vk/base/hardware_fault.hpp"
#include "vk/base/log.hpp"
#include "vk/memory/mapping.hpp"
#include "vk/proc/scope.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

namespace vk {
namespace {

// Errors that a peer or an operator causes, which a server meets all day.
bool is_everyday(const std::error_code& code) noexcept
{
    switch (code.value()) {
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case ECANCELED:
        return true;
    default:
        return false;
    }
}

// Log what escaped a thread; returns what the process ends by.
exit_reason log_failure(const std::exception_ptr& why) noexcept
{
    exit_reason found{exit_reason::kind::failed};
    try {
        std::rethrow_exception(why);
    } catch (const std::system_error& e) {
        found.code = e.code().value();
        if (dynamic_cast<const cancelled*>(&e))
            found.what = exit_reason::kind::cancelled;
        log::print(is_everyday(e.code()) ? log::level::debug : log::level::warn, "ended by {}",
                   describe(e));
    } catch (const hardware_fault& e) {
        found = e.reason();
        log::warn("ended by {}", e.what());
    } catch (const std::exception& e) {
        log::warn("ended by {}", describe(e));
    } catch (...) {
        log::warn("ended by an exception that is not a std::exception");
    }
    return found;
}

void describe_current(std::string& out)
{
    if (!frame_stack::current)
        return;
    thread& running = thread::current();
    fmt::format_to(std::back_inserter(out), "process {} thread {}", running.process().id(),
                   running.id());
}

} // namespace

process& process::create(void* memory, std::size_t pages, commons& shared, std::uint64_t id)
{
    log::set_describer(describe_current);
    class heap& own = heap::create(memory, pages);
    return *new (own.carve(sizeof(process))) process(own, shared, id);
}

inline void process::run(thread& next) noexcept
{
    frame_stack::current = &next;
    if (next.attempt_ && !next.attempt())
        return;
    if (!next.context::run())
        retire(next);
}

outcome process::dispatch() noexcept
{
    global_account::current = &account_;
    ++shared_->count.dispatches;
    bytes_left_ = limits::dispatch_bytes_max;
    if (!timers_.empty())
        expire_timers();
    std::uint32_t resumes = 0;
    auto may_go_on = [&] {
        return !run_.empty() && resumes < limits::dispatch_resumes_max && !spent();
    };
    do {
        while (may_go_on()) {
            thread& next = run_.front();
            run_.pop_front();
            ++resumes;
            run(next);
        }
        shared_->coming.fetch_second();
        run_chores(); // which may wake a thread: what one wrote is what another reads
    } while (may_go_on());
    shared_->count.resumes += resumes;
    frame_stack::current = nullptr;
    if (thread_count_ == 0)
        end_belongings();
    global_account::current = nullptr;
    if (thread_count_ == 0) {
        close_account();
        return outcome::ended;
    }
    bool all_left = leave_requests();
    return run_.empty() && all_left ? outcome::blocked : outcome::ready;
}

void process::retire(thread& ended)
{
    ended.failure_ = ended.root_.frame().promise().take_failure();
    ended.root_ = {};
    ended.ended_ = true;
    ended.member_hook::unlink();
    if (--thread_count_ == 1) {
        thread::wake_all(survivors);
        thread::wake_all(failure_waiters);
    }
    if (supervising_ == &ended) [[unlikely]]
        stop_supervising();
    if (ended.held_) {
        thread::wake_all(ended.joiners_);
        return;
    }
    if (ended.scope_)
        return retire_to_scope(ended);
    if (supervising_ && ended.failure_) [[unlikely]] {
        failed_threads_.push_back(ended);
        thread::wake_all(failure_waiters);
        return;
    }
    std::exception_ptr why = std::move(ended.failure_);
    if (why)
        fail(std::move(why));
    free_thread(ended);
}

// A scope throws one failure. Others are not known of elsewhere.
void process::retire_to_scope(thread& ended)
{
    if (std::exception_ptr more = ended.scope_->child_ended(ended, std::move(ended.failure_)))
        (void)log_failure(more);
    free_thread(ended);
}

void process::fail(std::exception_ptr why) noexcept
{
    if (std::exchange(failed_, true))
        return; // it ends since another thread has failed
    reason_ = log_failure(why);
    ++shared_->count.processes_failed;
    cancel();
}

std::optional<thread_failure> process::take_failure() noexcept
{
    if (failed_threads_.empty())
        return std::nullopt;
    thread& first = failed_threads_.front();
    failed_threads_.pop_front();
    thread_failure taken{first.id(), {}, std::move(first.failure_)};
    taken.reason = log_failure(taken.exception);
    free_thread(first);
    return taken;
}

// What was not taken ends the process, as if nobody had supervised.
void process::stop_supervising() noexcept
{
    supervising_ = nullptr;
    while (!failed_threads_.empty()) {
        thread& first = failed_threads_.front();
        failed_threads_.pop_front();
        fail(std::move(first.failure_));
        free_thread(first);
    }
}

thread& process::make_thread()
{
    auto* run = static_cast<std::byte*>(heap_->take(1));
    auto* frames = run + round_up(sizeof(thread), 16);
    return *new (run) thread(*this, ++thread_ids_, *heap_, {frames, run + limits::page_bytes});
}

void process::free_thread(thread& ended) noexcept
{
    bool first = ended.id_ == 1; // carved with the process, not a run of its own
    ended.~thread();
    if (!first)
        heap_->give(&ended);
}

void process::cancel() noexcept
{
    for (thread& one : threads_)
        one.cancel();
}

void process::cancel_others(const thread& spared) noexcept
{
    for (thread& one : threads_)
        if (&one != &spared)
            one.cancel();
}

void process::drain() noexcept
{
    // Every thread that waits for bytes tries again, and finds the end of its stream.
    draining_ = true;
    for (thread& one : threads_)
        if (one.blocked() && one.waits_for().fd >= 0)
            one.wake_up(wake::ready);
    vacancy();
    thread::wake_all(told.readers);
}

void process::refresh(const descriptor* where, int fd, ready bits, std::uint16_t there) noexcept
{
    for (descriptor& one : watched_)
        if (&one == where && one.fd == fd)
            return refresh(one, bits, there);
}

void process::refresh(descriptor& where, ready bits, std::uint16_t there) noexcept
{
    if (any(bits & (ready::urgent | ready::hang_up | ready::failed))) [[unlikely]] {
        if (any(bits & (ready::urgent | ready::failed)))
            where.exact = false;
        if (any(bits & (ready::hang_up | ready::failed)))
            where.hang_up = true;
        bits |= ready::in;
        if (any(bits & ready::failed))
            bits |= ready::out;
    }
    if (any(bits & ready::in)) {
        where.may_read = true;
        where.there = there;
        if (where.readers)
            thread::wake_all(*where.readers);
    }
    if (any(bits & ready::out) && !where.may_write) {
        where.may_write = true;
        if (where.writers)
            thread::wake_all(*where.writers);
        if (where.on_writable)
            add_chore(*where.on_writable);
    }
}

void process::watch(descriptor& where, ready interest) noexcept
{
    // Edge-triggered, one registration covers both directions; only a wait for room is news to the kernel.
    bool known = where.watched() && shared_->registers_once && !any(interest & ready::out);
    if (known || where.closing)
        return;
    where.interest |= interest;
    if (!where.dirty_hook::is_linked())
        dirty_.push_back(where);
}

void process::close(descriptor& where) noexcept
{
    // At once, since the descriptor may be gone by the end of the dispatch; later if there is no room.
    if (std::exchange(where.closing, true))
        return;
    where.dirty_hook::unlink();
    where.watched_hook::unlink();
    request wanted{request::verb::close};
    wanted.fd = where.fd;
    if (shared_->requests.leave(wanted))
        return;
    dirty_.push_back(where);
}

bool process::leave_requests() noexcept
{
    while (!dirty_.empty()) {
        descriptor& where = dirty_.front();
        auto what = where.closing ? request::verb::close : request::verb::watch;
        if (!shared_->requests.leave({what, where.interest, where.fd, &where, nullptr, where.kind}))
            return false;
        if (!where.closing && !where.watched())
            watched_.push_back(where);
        where.interest = ready::none;
        dirty_.pop_front();
    }
    return true;
}

void process::expire_timers() noexcept
{
    while (timer* due = timers_.expire(shared_->now))
        static_cast<thread*>(due)->expire(shared_->now);
}

belonging* process::kept(const void* key) noexcept
{
    for (belonging& one : belongings_)
        if (one.key == key)
            return &one;
    return nullptr;
}

void process::end_belongings() noexcept
{
    while (!belongings_.empty()) {
        belonging& last = belongings_.back();
        belongings_.pop_back();
        last.end(last);
    }
}

void process::close_account() noexcept
{
    counters& count = shared_->count;
    count.global_bytes_lost += account_.held();
    count.global_bytes_high_water =
        std::max<std::uint64_t>(count.global_bytes_high_water, account_.most());
}

void process::run_chores() noexcept
{
    while (!chores_.empty()) {
        chore& due = chores_.front();
        chores_.pop_front();
        due.run(due);
    }
}

} // namespace vk
