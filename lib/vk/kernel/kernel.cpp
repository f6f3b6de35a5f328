#include "vk/kernel/kernel.hpp"

#include "vk/base/error.hpp"
#include "vk/base/gate.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <optional>

namespace vk {
namespace {

// The sizes that follow from the options and from what the system allows.
struct sizes {
    std::size_t fds;
    std::size_t processes;
    std::size_t pool;
    std::size_t heaps_apart; // heaps with a VMA of their own
    std::size_t blocks;      // ring buffers to lend
    std::size_t ties;        // between processes
};

sizes sizes_of(const kernel_options& wanted)
{
    sizes found{};
    found.fds = os::open_files_max();
    std::size_t possible = found.fds - std::min(found.fds / 2, limits::descriptors_reserved);
    found.processes = wanted.processes_max ? std::min(wanted.processes_max, possible) : possible;
    found.pool = wanted.pool ? std::min(wanted.pool, found.processes) : found.processes;
    // Masked memory takes mappings: half of what the system allows for heaps, two for each masked block.
    std::size_t maps = os::map_count_max();
    found.heaps_apart = std::min(found.pool, maps / 2);
    found.ties = wanted.ties_max ? wanted.ties_max : limits::ties_max_default;
    found.blocks = 2 * found.processes;
    if (wanted.isolation != isolation::none)
        found.blocks = std::min(found.blocks, maps / 8);
    return found;
}

// Places in the process table beyond those for connections: listeners and daemons.
constexpr std::size_t places_reserved = 64;

constexpr std::size_t huge_page_bytes = 2 * 1024 * 1024;

std::size_t table_bytes(const sizes& of, std::string_view poller) noexcept
{
    std::size_t processes = of.processes + places_reserved;
    return sizeof(kernel) + of.fds * sizeof(fd_record) + poller_bytes(poller, of.fds) +
           processes * (sizeof(process_record) + sizeof(std::uint32_t)) +
           of.pool * sizeof(std::uint32_t) + ties::bytes(of.ties);
}

// A mapping that starts on a huge page and is made of them, so that masking it touches few page tables.
mapping map_kernel_heap(std::size_t bytes)
{
    mapping memory(round_up(bytes, huge_page_bytes) + huge_page_bytes);
    (void)os::huge_pages(memory.base(), memory.bytes());
    return memory;
}

std::byte* aligned_base(const mapping& memory) noexcept
{
    auto at = reinterpret_cast<std::uintptr_t>(memory.base());
    return memory.base() + (round_up(at, huge_page_bytes) - at);
}

std::string_view named_poller(const kernel_options& wanted) noexcept
{
    if (!wanted.poller.empty())
        return wanted.poller;
    const char* named = std::getenv("VK_POLLER");
    return named && *named ? named : "epoll";
}

std::string_view wanted_poller(const kernel_options& wanted) noexcept
{
    std::string_view name = named_poller(wanted);
    return name == "auto" ? fastest_poller(wanted.isolation != isolation::none) : name;
}

} // namespace

kernel::pointer kernel::make(const kernel_options& wanted)
{
    if (wanted.heap_pages == 0 || wanted.heap_pages >= limits::heap_pages_max)
        throw error(EINVAL, "heap_pages must be at least 1 and below 2^30");
    if (wanted.global_bytes_max != 0 && !global_account::counting)
        throw error(ENOTSUP, "global_bytes_max: this program does not link counted_new");
    if (wanted.syscall_gate != syscall_gate::off)
        gate::require();
    const sizes size = sizes_of(wanted);
    std::size_t bytes = round_up(table_bytes(size, wanted_poller(wanted)), huge_page_bytes);
    mapping memory = map_kernel_heap(bytes);
    mapping common(sizeof(dispatcher));
    std::byte* base = aligned_base(memory);

    dispatcher::layout layout{wanted.isolation,
                              wanted.mask,
                              wanted.heap_pages,
                              round_up(wanted.heap_pages * limits::page_bytes, os::page_bytes()),
                              size.blocks,
                              size.fds,
                              size.ties,
                              base,
                              bytes,
                              wanted.syscall_gate};
    dispatcher_pointer batch(new (common.base()) dispatcher(layout));

    using tables_type = std::pmr::monotonic_buffer_resource;
    auto* tables = new (base) tables_type(base + 64, bytes - 64, std::pmr::null_memory_resource());
    static_assert(sizeof(tables_type) <= 64);
    void* at = tables->allocate(sizeof(kernel), alignof(kernel));
    return pointer(
        new (at) kernel(wanted, std::move(memory), std::move(common), tables, std::move(batch)));
}

kernel::kernel(const kernel_options& wanted, mapping&& memory, mapping&& common,
               std::pmr::monotonic_buffer_resource* tables, dispatcher_pointer batch)
    : memory_(std::move(memory)),
      common_(std::move(common)),
      dispatcher_(std::move(batch)),
      processes_(sizes_of(wanted).processes + places_reserved, tables),
      fds_(sizes_of(wanted).fds, tables),
      heaps_({wanted.heap_pages, sizes_of(wanted).pool, wanted.isolation != isolation::none,
              sizes_of(wanted).heaps_apart, dispatcher_->masking().colours()},
             tables),
      ties_(sizes_of(wanted).ties, tables, processes_, run_),
      connections_max_(sizes_of(wanted).processes),
      poller_(make_poller(wanted_poller(wanted), {fds_, run_, dispatcher_->shared.count, tables,
                                                  wanted.isolation != isolation::none})),
      counted_(wanted.counted),
      drain_span_(wanted.drain_ms * 1'000'000)
{
    dispatcher_->shared.registers_once = poller_->registers_once();
    if (wanted.contain_faults)
        faults_.emplace();
    if (wanted.global_bytes_max != 0)
        dispatcher_->shared.global_bytes_max = wanted.global_bytes_max;
}

kernel::~kernel()
{
    // What is left are daemons, and processes that would not end: their memory goes without running them.
    discard_all();
    poller_->~poller();
}

void kernel::deleter::operator()(kernel* one) const noexcept
{
    mapping memory = std::move(one->memory_);
    mapping common = std::move(one->common_);
    one->~kernel();
}

bool kernel::start(const program& what, int fd, bool daemon) noexcept
{
    void* heap = nullptr;
    process_record* fresh = processes_.add();
    if (fresh && !(heap = heaps_.take())) {
        processes_.remove(*fresh);
        fresh = nullptr;
    }
    if (!fresh) {
        if (fd >= 0)
            (void)os::close(fd);
        return false;
    }
    counters& count = dispatcher_->shared.count;
    ++count.processes_started;
    count.heap_overflows = heaps_.overflows();
    fresh->heap = static_cast<std::byte*>(heap);
    fresh->key = heaps_.key_of(heap);
    fresh->what = &what;
    fresh->fd = fd;
    fresh->daemon = daemon;
    if (draining_ && !daemon)
        fresh->orders |= order::drain;
    daemons_ += daemon;
    started_last_ = fresh;
    if (fd >= 0)
        own(fd, *fresh);
    queue(run_, *fresh);
    return true;
}

void kernel::lend(int fd) noexcept
{
    VK_REQUIRE(started_last_ != nullptr);
    own(fd, *started_last_);
    fds_.find(fd)->lent = true;
}

void kernel::own(int fd, process_record& owner) noexcept
{
    fd_record* one = fds_.find(fd);
    VK_REQUIRE(one != nullptr && one->owner == nullptr);
    one->fd = fd;
    one->owner = &owner;
    owner.fds.push_back(*one);
}

void kernel::need() noexcept
{
    VK_REQUIRE(started_last_ != nullptr);
    started_last_->needed = true;
}

void kernel::run()
{
    signal_stack::use for_faults(fault_stack_);
    dispatcher_->shared.now = os::now();
    std::optional<gate::watch> calls;
    if (dispatcher_->refused.possible())
        calls.emplace(dispatcher_->watcher());
    while (processes_.live() > daemons_)
        turn();
}

void kernel::turn() noexcept
{
    fill_batch();
    if (!dispatcher_->empty()) {
        dispatcher_->run();
        read_requests();
        read_results();
    }
    if (processes_.live() > daemons_)
        wait();
}

// --- drain the run queue ----------------------------------------------------------------------------

void kernel::fill_batch() noexcept
{
    dispatcher_->clear();
    // Places that processes of other processes took are not there for connections.
    std::size_t left = connections_max_ - std::min(connections_, connections_max_);
    dispatcher_->shared.vacancies = std::min(left, processes_.room());
    // Only what is queued now: a process that is queued while the batch runs waits for the next.
    while (!run_.empty()) {
        process_record& next = run_.front();
        dispatch* place = dispatcher_->add();
        if (!place)
            break;
        run_.pop_front();
        describe(next, *place);
    }
    dispatcher_->shared.ties = ties_.room(); // now that news have been handed over
}

void kernel::describe(process_record& one, dispatch& as) noexcept
{
    as.heap = one.heap;
    as.key = one.key;
    as.local = one.local;
    as.what = one.what;
    as.id = one.id;
    as.process_index = processes_.index_of(one);
    as.fd = one.fd;
    as.blocks = one.blocks;
    as.privileged = one.what->privileged();
    as.orders = std::exchange(one.orders, order::none);
    if (has(as.orders, order::news)) [[unlikely]]
        ties_.hand_over(one, dispatcher_->board(), dispatcher_->number_of(as));
    while (!one.fresh.empty()) {
        fd_record& fd = one.fresh.front();
        if (!dispatcher_->add_note({fd.where, fd.fd, fd.fresh, fd.there})) {
            queue(run_, one); // the rest is told in the next batch
            return;
        }
        fd.fresh = ready::none;
        fd.there = 0;
        one.fresh.pop_front();
    }
}

void kernel::read_requests() noexcept
{
    for (const request& wanted : dispatcher_->shared.requests) {
        process_record& sender = processes_.at(wanted.process);
        switch (wanted.what_to_do) {
        case request::verb::watch:
            watch(wanted);
            break;
        case request::verb::start:
            start_connection(wanted);
            break;
        case request::verb::adopt:
            adopt(wanted);
            break;
        case request::verb::close:
            if (fd_record* one = fds_.find(wanted.fd); one && one->owner == &sender)
                close_fd(*one);
            break;
        case request::verb::vacancy:
            if (!sender.process_hook<vacancy_tag>::is_linked())
                vacancy_waiters_.push_back(sender);
            break;
        case request::verb::drain:
            drain();
            break;
        case request::verb::bear:
            start_child(wanted);
            break;
        case request::verb::monitor:
        case request::verb::forget:
        case request::verb::link:
        case request::verb::unlink:
        case request::verb::stop:
            tie_processes(wanted);
            break;
        }
    }
    dispatcher_->shared.requests.clear();
}

void kernel::start_connection(const request& wanted) noexcept
{
    if (!start(*wanted.what, wanted.fd))
        return;
    started_last_->connection = true;
    ++connections_;
}

void kernel::start_child(const request& wanted) noexcept
{
    process_record* child = start(*wanted.what) ? started_last_ : nullptr;
    if (child && wanted.how == bond::parent) {
        child->dependent = true;
        child->orders = order::none; // its parent is told to drain, not it
    }
    ties_.bear(processes_.at(wanted.process), wanted.how, wanted.ticket, child);
}

void kernel::tie_processes(const request& wanted) noexcept
{
    process_record& sender = processes_.at(wanted.process);
    process_record* whom = processes_.find(wanted.whom);
    if (wanted.what_to_do == request::verb::monitor)
        ties_.monitor(sender, wanted.ticket, wanted.whom, whom);
    else if (wanted.what_to_do == request::verb::forget)
        ties_.forget(sender, wanted.ticket);
    else if (wanted.what_to_do == request::verb::link)
        ties_.link(sender, whom, dispatcher_->shared.now);
    else if (wanted.what_to_do == request::verb::unlink && whom)
        ties_.unlink(sender, *whom);
    else if (wanted.what_to_do == request::verb::stop && whom)
        stop(*whom, wanted.span);
}

// Counted from here, not from the turn's clock: who asked may have been long at it.
void kernel::stop(process_record& whom, nanoseconds span) noexcept
{
    nanoseconds now = os::now();
    ties_.stop(whom, now, after(now, span));
}

void kernel::adopt(const request& wanted) noexcept
{
    process_record& sender = processes_.at(wanted.process);
    const fd_record* one = fds_.find(wanted.fd);
    if (!one || one->owner) {
        log::error("process {} brings fd {}, which cannot be its own", sender.id, wanted.fd);
        return;
    }
    own(wanted.fd, sender);
}

void kernel::watch(const request& wanted) noexcept
{
    fd_record* one = fds_.find(wanted.fd);
    if (!one || one->owner != &processes_.at(wanted.process)) {
        log::error("process {} waits for fd {}, which is not its own",
                   processes_.at(wanted.process).id, wanted.fd);
        return;
    }
    one->where = wanted.where;
    one->kind = wanted.kind;
    one->interest |= wanted.interest;
    if (!one->fd_hook<dirty_fd_tag>::is_linked())
        dirty_.push_back(*one);
}

void kernel::read_results() noexcept
{
    for (const dispatch& done : dispatcher_->batch()) {
        process_record& one = processes_.at(done.process_index);
        bool made = !std::exchange(one.local, done.local) && done.local;
        if (made && one.related) [[unlikely]]
            ties_.started(one);
        one.blocks = done.blocks;
        switch (done.result) {
        case outcome::ended:
            reap(one, done.pages_used, dispatcher_->reason_of(done));
            break;
        case outcome::dropped:
            reap(one, heaps_.heap_pages(), dispatcher_->reason_of(done));
            break;
        case outcome::ready:
            queue(spent_, one);
            break;
        case outcome::blocked:
            rest(one, done.deadline);
            break;
        }
    }
}

// A zombie has no thread left: its fds are closed and its heap goes back at once.
void kernel::reap(process_record& ended, std::size_t pages_used, const exit_reason& why) noexcept
{
    exit_reason truth = ties_.ended(ended, why, dispatcher_->shared.now);
    bool missed = ended.needed && !truth.is_normal();
    while (!ended.fds.empty()) {
        fd_record& left = ended.fds.front();
        if (left.lent)
            forget_fd(left);
        else
            close_fd(left);
    }
    counters& count = dispatcher_->shared.count;
    ++count.processes_ended;
    count.heap_pages_high_water = std::max<std::uint64_t>(count.heap_pages_high_water, pages_used);
    dispatcher_->take_back_blocks(ended.blocks);
    bool open = dispatcher_->forget(ended.heap);
    heaps_.give(ended.heap, pages_used, open);
    daemons_ -= ended.daemon;
    connections_ -= ended.connection;
    if (started_last_ == &ended)
        started_last_ = nullptr;
    timers_.disarm(ended);
    processes_.remove(ended);
    offer_vacancy();
    failed_ = failed_ || missed;
    if (missed && !draining_)
        drain();
}

void kernel::close_fd(fd_record& one) noexcept
{
    int fd = one.fd;
    forget_fd(one);
    (void)os::close(fd); // it is gone whatever close(2) says
}

void kernel::forget_fd(fd_record& one) noexcept
{
    poller_->forget(one);
    one.fd_hook<dirty_fd_tag>::unlink();
    one.fd_hook<fresh_fd_tag>::unlink();
    one.fd_hook<owned_fd_tag>::unlink();
    one.owner = nullptr;
    one.where = nullptr;
    one.kind = fd_kind::other;
    one.fd = -1;
    one.interest = one.fresh = ready::none;
    one.lent = false;
    one.there = 0;
}

// The timer stays armed for an earlier time than wanted, if it is: a deadline that moves ahead with each
// request then costs nothing, and is looked at again when the timer expires.
void kernel::rest(process_record& one, nanoseconds deadline) noexcept
{
    one.wanted = deadline;
    if (deadline == never || (one.armed() && one.deadline <= deadline))
        return;
    timers_.disarm(one);
    timers_.arm(one, deadline);
}

void kernel::offer_vacancy() noexcept
{
    while (!vacancy_waiters_.empty()) {
        process_record& waiter = vacancy_waiters_.front();
        vacancy_waiters_.pop_front();
        waiter.orders |= order::vacancy;
        queue(run_, waiter);
    }
}

// --- submit, wait, wake -----------------------------------------------------------------------------

void kernel::wait() noexcept
{
    poller_->submit(dirty_);
    if (counted_)
        *counted_ = count();
    nanoseconds timeout = 0;
    if (run_.empty() && spent_.empty() && !heaps_.soiled()) {
        nanoseconds next = std::min({timers_.next(), drain_deadline_, ties_.next()});
        timeout = next == never ? -1 : std::max<nanoseconds>(0, next - os::now());
    }
    poller_->wait(timeout);
    nanoseconds now = os::now();
    dispatcher_->shared.now = now;
    wake_due(now);
    run_.splice(run_.end(), spent_); // behind those whose events have come meanwhile
    if (run_.empty())
        heaps_.discard_one();
}

void kernel::wake_due(nanoseconds now) noexcept
{
    while (timer* due = timers_.expire(now)) {
        auto& one = *static_cast<process_record*>(due);
        if (one.wanted <= now)
            queue(run_, one);
        else if (one.wanted != never)
            timers_.arm(one, one.wanted);
    }
    while (process_record* late = ties_.overdue(now))
        discard(*late);
    if (drain_deadline_ <= now)
        cancel_all();
}

// --- the end ----------------------------------------------------------------------------------------

void kernel::drain() noexcept
{
    nanoseconds now = os::now();
    if (draining_) {
        if (now - drain_began_ >= limits::drain_again_ms * 1'000'000)
            drain_deadline_ = now; // not at once: the results of a batch may be unread
        return;
    }
    draining_ = true;
    drain_began_ = now;
    drain_deadline_ = after(now, drain_span_);
    processes_.for_each([this](process_record& one) {
        if (one.daemon || one.dependent)
            return;
        one.orders |= order::drain;
        queue(run_, one);
    });
}

void kernel::cancel_all() noexcept
{
    // Again and again: a service that goes on after one cancelled operation meets the next. One that will not
    // end at all is discarded.
    if (++cancels_ > limits::cancels_max) {
        discard_all();
        return;
    }
    drain_deadline_ = after(os::now(), limits::cancel_pause_ms * 1'000'000);
    processes_.for_each([this](process_record& one) {
        if (one.daemon)
            return;
        one.orders |= order::cancel;
        queue(run_, one);
    });
}

// Its memory goes without running it.
void kernel::discard(process_record& one) noexcept
{
    if (!one.daemon)
        log::warn("process {} did not end and is discarded", one.id);
    reap(one, heaps_.heap_pages(), {exit_reason::kind::discarded});
}

void kernel::discard_all() noexcept
{
    while (process_record* left = processes_.any())
        discard(*left);
}

} // namespace vk
