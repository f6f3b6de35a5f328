#include "vk/service/supervisor.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/kernel/start_process.hpp"
#include "vk/memory/heap_resource.hpp"

#include <exception>
#include <memory_resource>

namespace vk {
namespace {

// The restarts of one period, as far as they matter: the latest `intensity` of them.
class restart_log {
public:
    restart_log(std::uint32_t intensity, nanoseconds period)
        : latest_(intensity, -1, heap_resource()), period_(period)
    {
    }

    // Enter one; returns false when it is one too many.
    bool enter(nanoseconds now) noexcept
    {
        if (latest_.empty())
            return false;
        nanoseconds& oldest = latest_[next_];
        if (oldest >= 0 && now - oldest <= period_)
            return false;
        oldest = now;
        next_ = (next_ + 1) % latest_.size();
        return true;
    }

private:
    std::pmr::vector<nanoseconds> latest_; // as a ring; -1: none yet
    std::size_t next_ = 0;
    nanoseconds period_;
};

constexpr std::size_t none = static_cast<std::size_t>(-1);

bool is_worth_a_restart(enum restart kind, const exit_reason& why) noexcept
{
    switch (kind) {
    case restart::permanent:
        return true;
    case restart::transient:
        return !why.is_normal() && why.what != exit_reason::kind::cancelled;
    case restart::temporary:
        break;
    }
    return false;
}

// A run of a supervisor.
class tree {
public:
    explicit tree(const supervisor& what)
        : what_(what),
          children_(what.children().size(), heap_resource()),
          restarts_(what.options().intensity, what.options().period.count() * 1'000'000)
    {
    }

    task<> run();

private:
    struct child {
        monitor_handle watched;
        bool runs = false;
    };

    // Wait for the end of a child, or for a word to end.
    class change_awaiter {
    public:
        explicit change_awaiter(tree& whose) noexcept : whose_(&whose) {}
        bool await_ready() const noexcept
        {
            return whose_->told_to_end() || whose_->ended_child() != none;
        }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            auto again = [](void* self) noexcept {
                bool done = static_cast<change_awaiter*>(self)->await_ready();
                return done ? progress::done : progress::blocked;
            };
            thread& waiter = thread::current();
            waiter.block(caller, waiter.process().told.readers, {"supervise", -1, never, {}}, this,
                         again);
        }
        void await_resume() const
        {
            if (!await_ready())
                thread::current().check_wake("supervise");
        }

    private:
        tree* whose_;
    };

    bool told_to_end() const noexcept { return cancelled_ || process::current().draining(); }
    std::size_t ended_child() const noexcept;
    const child_spec& spec(std::size_t index) const noexcept { return what_.children()[index]; }
    std::chrono::milliseconds shutdown_of(std::size_t index) const noexcept;
    void note_end(std::size_t index);

    task<> wait_for_change();
    task<> start_first();
    task<bool> start_again(std::size_t index);
    task<std::size_t> start_all_again(std::size_t from, std::size_t to);
    task<> end(std::size_t index);
    task<> end_all(std::size_t from, std::size_t to);
    task<> supervise();
    task<> restart_from(std::size_t failed);

    const supervisor& what_;
    std::pmr::vector<child> children_;
    restart_log restarts_;
    bool cancelled_ = false;
};

std::size_t tree::ended_child() const noexcept
{
    for (std::size_t index = 0; index < children_.size(); ++index)
        if (children_[index].runs && children_[index].watched.ended())
            return index;
    return none;
}

std::chrono::milliseconds tree::shutdown_of(std::size_t index) const noexcept
{
    const child_spec& of = spec(index);
    if (of.shutdown)
        return *of.shutdown;
    return of.run.is_supervisor() ? infinity
                                  : std::chrono::milliseconds(limits::shutdown_ms_default);
}

void tree::note_end(std::size_t index)
{
    child& one = children_[index];
    const exit_reason& why = one.watched.reason();
    log::print(why.is_normal() ? log::level::info : log::level::warn, "child {} ended: {}",
               spec(index).name, text_of(why));
    one.runs = false;
    one.watched = {};
}

task<> tree::wait_for_change()
{
    try {
        co_await change_awaiter(*this);
    } catch (const cancelled&) {
        cancelled_ = true;
    }
}

// --- children come and go ------------------------------------------------------------------------------

task<> tree::start_first()
{
    for (std::size_t index = 0; index < children_.size() && !told_to_end(); ++index) {
        try {
            monitor_handle made = co_await start_child(spec(index).run);
            children_[index].watched = std::move(made);
        } catch (const error& e) {
            log::error("child {} could not be started: {}", spec(index).name, e.what());
            throw;
        }
        children_[index].runs = true;
    }
}

// Whether it runs.
task<bool> tree::start_again(std::size_t index)
{
    try {
        monitor_handle made = co_await start_child(spec(index).run);
        children_[index].watched = std::move(made);
    } catch (const error& e) {
        log::error("child {} could not be restarted: {}", spec(index).name, e.what());
        co_return false;
    }
    children_[index].runs = true;
    ++process::current().shared().count.children_restarted;
    log::info("child {} is restarted", spec(index).name);
    co_return true;
}

// Returns which child could not be started, or none. As OTP does, a transient child that had ended for good is started
// again with the others.
task<std::size_t> tree::start_all_again(std::size_t from, std::size_t to)
{
    for (std::size_t index = from; index < to && !told_to_end(); ++index) {
        if (spec(index).restart == restart::temporary)
            continue;
        bool runs = co_await start_again(index);
        if (!runs)
            co_return index;
    }
    co_return none;
}

// However often this process is cancelled meanwhile: who does not want to wait for its children discards it.
task<> tree::end(std::size_t index)
{
    const monitor_handle& watched = children_[index].watched;
    if (!watched.ended())
        co_await order_end(watched.id(), shutdown_of(index));
    while (!watched.ended()) {
        try {
            (void)co_await watched.down();
        } catch (const cancelled&) {
            cancelled_ = true;
        }
    }
    note_end(index);
}

task<> tree::end_all(std::size_t from, std::size_t to)
{
    for (std::size_t index = to; index-- > from;)
        if (children_[index].runs)
            co_await end(index);
}

// --- strategies ----------------------------------------------------------------------------------------

// Until what has to run runs. Throws when there have been too many restarts.
task<> tree::restart_from(std::size_t failed)
{
    while (failed != none && !told_to_end()) {
        if (!restarts_.enter(os::now())) {
            log::error("child {} ended, after {} restarts in {} ms: giving up", spec(failed).name,
                       what_.options().intensity, what_.options().period.count());
            throw cancelled("supervise");
        }
        std::size_t from = failed;
        std::size_t to = children_.size();
        if (what_.options().strategy == strategy::one_for_one)
            to = failed + 1;
        else if (what_.options().strategy == strategy::one_for_all)
            from = 0;
        co_await end_all(from, to);
        std::size_t refused = co_await start_all_again(from, to);
        failed = refused;
    }
}

task<> tree::supervise()
{
    co_await start_first();
    while (!told_to_end()) {
        co_await wait_for_change();
        std::size_t ended = ended_child();
        if (ended == none || told_to_end())
            continue;
        bool again = is_worth_a_restart(spec(ended).restart, children_[ended].watched.reason());
        note_end(ended);
        if (again)
            co_await restart_from(ended);
    }
}

task<> tree::run()
{
    std::exception_ptr failure;
    try {
        co_await supervise();
    } catch (...) {
        failure = std::current_exception();
    }
    co_await end_all(0, children_.size());
    if (failure)
        std::rethrow_exception(failure);
}

task<> run_tree(const supervisor* what)
{
    tree running(*what);
    co_await running.run();
}

} // namespace

void child_program::start(process& fresh, int fd) const
{
    if (const auto* own = std::get_if<task_program>(&what_))
        own->start(fresh, fd);
    else
        std::get<const program*>(what_)->start(fresh, fd);
}

void supervisor::start(process& fresh, int) const
{
    fresh.start([this] { return run_tree(this); });
}

} // namespace vk
