#include "support/sim/world.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "support/sim/memory.hpp"

namespace vk::sim {

namespace {

world* the_world = nullptr;

/// Not zero, so that a program which takes 0 for "never" is found out.
constexpr std::int64_t start_ns = 1'000'000'000'000;

/// How far ahead an event may lie that comes while the program has lost the processor.
constexpr std::int64_t near_ns = 1'000'000;

/// How long what was held back stays away.
constexpr std::int64_t stall_ns = 50'000;

} // namespace

world::world(const sim::options& how)
    : options_{how},
      dice_{how.seed},
      clock_{start_ns},
      mapped_before_{memory_books::get().bytes()},
      tracing_{std::getenv("VK_SIM_TRACE") != nullptr}
{
    if (the_world != nullptr)
        give_up("there is a world already");
    the_world = this;
    const auto standard = std::make_shared<terminal>(output_);
    standard->blocking = true;
    fds_ = {standard, standard, standard};
}

world::~world()
{
    events_.clear();
    fds_.clear();
    clients_.clear();
    the_world = nullptr;
}

world& world::current()
{
    if (the_world == nullptr) {
        std::fputs("simulated system: a system call outside of a sim::world\n", stderr);
        std::abort();
    }
    return *the_world;
}

// --- what happens -----------------------------------------------------------------------------------

client& world::add_client(std::string name)
{
    client& added = *clients_.emplace_back(std::make_unique<client>(*this, std::move(name)));
    later(0, [&added] { added.begin(); });
    return added;
}

void world::client_done()
{
    ++clients_done_;
    if (clients_done_ == clients_.size() && terminate_after_)
        later(terminate_after_->count(), [this] {
            if (!settling_) // a program that has ended hears no signal
                signal(SIGTERM);
        });
}

void world::terminate_when_done(nanoseconds after)
{
    terminate_after_ = after;
}

void world::at(nanoseconds since_start, std::function<void()> act)
{
    later((since_start - elapsed()).count(), std::move(act));
}

void world::later(std::int64_t delay_ns, std::function<void()> act)
{
    events_.emplace(clock_ + std::max<std::int64_t>(delay_ns, 0), std::move(act));
}

std::int64_t world::latency() noexcept
{
    const auto jitter = static_cast<std::uint64_t>(options_.jitter_ns);
    return options_.latency_ns +
           (jitter == 0 ? 0 : static_cast<std::int64_t>(dice_.below(jitter + 1)));
}

std::shared_ptr<socket> world::make_socket(int family, std::size_t capacity)
{
    return std::make_shared<socket>(
        family, capacity, [this](std::function<void()> act) { later(latency(), std::move(act)); });
}

void world::settle()
{
    constexpr std::size_t events_max = 1'000'000;
    settling_ = true;
    for (std::size_t n = 0; !events_.empty(); ++n) {
        if (n == events_max)
            return complain("the clients never come to rest");
        run_next();
    }
    settling_ = false;
}

nanoseconds world::elapsed() const noexcept
{
    return nanoseconds{clock_ - start_ns};
}

// --- time -------------------------------------------------------------------------------------------

std::int64_t world::now() noexcept
{
    clock_ += options_.now_ns;
    return clock_;
}

bool world::next_is_near() const noexcept
{
    return !events_.empty() && events_.begin()->first <= clock_ + near_ns;
}

void world::run_next()
{
    const auto first = events_.begin();
    clock_ = std::max(clock_, first->first);
    const auto act = std::move(first->second);
    events_.erase(first);
    act();
}

void world::run_due()
{
    while (!events_.empty() && events_.begin()->first <= clock_)
        run_next();
}

/// Let time pass until `ready` gives something else than 0. A timeout gives 0.
std::int64_t world::wait(std::int64_t timeout_ns, const action& ready)
{
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    const std::int64_t deadline =
        timeout_ns < 0 || timeout_ns > never - clock_ ? never : clock_ + timeout_ns;
    for (;;) {
        run_due();
        while (next_is_near() && dice_.chance(options_.noise.late_wake))
            run_next();
        if (const std::int64_t result = ready(); result != 0)
            return result;
        const std::int64_t next = events_.empty() ? never : events_.begin()->first;
        if (next == never && deadline == never) {
            unstick();
        } else if (deadline < next) {
            clock_ = std::max(clock_, deadline);
            return 0;
        } else {
            run_next();
        }
    }
}

/// Nothing will ever happen again: a defect of the program or of the test. Have the program end rather
/// than the test hang.
void world::unstick()
{
    complain("waits for ever: nothing is left to happen");
    ++stuck_;
    if (stuck_ == 1)
        return signal(SIGTERM);
    if (stuck_ > 2)
        give_up("the program waits for ever, though its clients are gone and SIGTERM was sent");
    for (const auto& one : clients_)
        one->abort();
}

std::int64_t world::sleep_until(std::int64_t deadline)
{
    return perform(call::sleep, -1, [&] {
        return wait(std::max<std::int64_t>(deadline - clock_, 0), [] { return std::int64_t{0}; });
    });
}

// --- a call -----------------------------------------------------------------------------------------

std::int64_t world::perform(call what, int fd, const action& act)
{
    return perform_on(what, fd, find(fd), act);
}

/// A call may consist of others, which are recorded after it.
std::int64_t world::perform_on(call what, int fd, const std::shared_ptr<file>& on,
                               const action& act)
{
    begin(what, fd, on);
    const std::size_t position = calls_.size() - 1;
    const int error = pick_fault();
    return end(position, error != 0 ? inject(error, on, act) : act());
}

std::int64_t world::other(call what, std::int64_t result)
{
    return perform(what, -1, [=] { return result; });
}

namespace {

target target_of(const std::shared_ptr<file>& on) noexcept
{
    if (!on)
        return target::none;
    const target kind = on->kind();
    return on->blocking && kind == target::pipe ? target::other : kind;
}

} // namespace

void world::begin(call what, int fd, const std::shared_ptr<file>& on)
{
    if (calls_.size() == options_.calls_max)
        give_up("the program makes calls without end");
    clock_ += options_.call_ns;
    while (next_is_near() && dice_.chance(options_.noise.preempt))
        run_next();
    run_due();
    calls_.push_back({.what = what,
                      .injected = false,
                      .fd = fd,
                      .at_ns = clock_ - start_ns,
                      .result = 0,
                      .errors = errors_of(what, target_of(on))});
    ++counts_[static_cast<std::size_t>(what)];
}

std::int64_t world::end(std::size_t position, std::int64_t result)
{
    calls_[position].result = result;
    if (tracing_)
        std::fprintf(stderr, "%s\n", describe(calls_[position]).c_str());
    return result;
}

std::string world::describe(const call_record& one) const
{
    char text[160];
    const double at_us = static_cast<double>(one.at_ns) / 1000.0;
    const auto position = static_cast<std::size_t>(&one - calls_.data());
    std::snprintf(text, sizeof text, "%6zu %12.3f us  %s(%d) = %lld%s%s%s", position, at_us,
                  name_of(one.what), one.fd, static_cast<long long>(one.result),
                  one.result < 0 ? " " : "",
                  one.result < 0 ? name_of_error(static_cast<int>(-one.result)).c_str() : "",
                  one.injected ? "  <-- injected" : "");
    return text;
}

std::string world::trace(std::size_t last) const
{
    std::string text;
    for (std::size_t n = calls_.size() - std::min(last, calls_.size()); n < calls_.size(); ++n)
        text += describe(calls_[n]) + "\n";
    return text;
}

void world::complain(std::string what)
{
    if (tracing_)
        std::fprintf(stderr, "complaint: %s\n", what.c_str());
    if (!calls_.empty())
        what += " (at " + describe(calls_.back()) + ")";
    complaints_.push_back(std::move(what));
}

void world::give_up(const std::string& why) const
{
    std::fprintf(stderr, "simulated system, seed %llu: %s. The last calls were\n%s\n",
                 static_cast<unsigned long long>(options_.seed), why.c_str(), trace(100).c_str());
    std::abort();
}

// --- faults -----------------------------------------------------------------------------------------

void world::fail_call(std::size_t position, int error)
{
    failing_at_[position] = error;
}

void world::fail_nth(call what, std::size_t nth, int error)
{
    rules_.push_back({.what = what, .first = nth, .times = 1, .error = error, .bytes = 0});
}

void world::fail_next(call what, int error, std::size_t times)
{
    rules_.push_back(
        {.what = what, .first = count(what), .times = times, .error = error, .bytes = 0});
}

void world::shorten_next(call what, std::size_t bytes, std::size_t times)
{
    rules_.push_back(
        {.what = what, .first = count(what), .times = times, .error = 0, .bytes = bytes});
}

/// The rule for the call that is being made, the `count(what) - 1`th of its kind.
const world::rule* world::rule_for(call what, bool shortening) const
{
    const std::size_t nth = count(what) - 1;
    for (const rule& one : rules_) {
        const bool applies = one.what == what && nth >= one.first && nth - one.first < one.times;
        if (applies && (one.error == 0) == shortening)
            return &one;
    }
    return nullptr;
}

int world::pick_fault()
{
    const call_record& record = calls_.back();
    if (const auto at = failing_at_.find(calls_.size() - 1); at != failing_at_.end())
        return at->second;
    if (const rule* const one = rule_for(record.what, false))
        return one->error;
    const auto errors = record.errors;
    if (!errors.empty() && !spared_.contains(record.what) && dice_.chance(fault_rate_))
        return errors[dice_.below(errors.size())];
    const auto transient = std::count_if(errors.begin(), errors.end(), is_transient);
    if (transient == 0 || !dice_.chance(options_.noise.spurious))
        return 0;
    auto which = dice_.below(static_cast<std::uint64_t>(transient));
    return *std::find_if(errors.begin(), errors.end(),
                         [&](int error) { return is_transient(error) && which-- == 0; });
}

std::int64_t world::inject(int error, const std::shared_ptr<file>& on, const action& act)
{
    call_record& record = calls_.back();
    record.injected = true;
    ++faults_;
    // Linux closes the descriptor whatever close(2) says, and a connection that connect(2) was interrupted
    // in goes on being made.
    if (record.what == call::close || (record.what == call::connect && error == EINTR))
        act();
    else if (on)
        take_effect(on, error);
    return -error;
}

/// What else has happened, if the call `calls_.back()` on this file gives this error.
void world::take_effect(const std::shared_ptr<file>& on, int error)
{
    const call what = calls_.back().what;
    if (error == EAGAIN && what != call::connect)
        return stall(on, what != call::write && what != call::writev && what != call::uring_send);
    if (const auto one = std::dynamic_pointer_cast<socket>(on))
        take_effect_on_socket(what, *one, error);
}

void world::take_effect_on_socket(call what, socket& on, int error)
{
    if (what == call::accept) {
        // These are of the connection, which is gone with them; the others leave it in the queue.
        const bool gone =
            error == ECONNABORTED || error == EPERM || error == EPROTO || error == EHOSTUNREACH;
        if (!gone || !on.has_pending())
            return;
        const auto lost = on.take_pending();
        if (const auto peer = lost->peer(); peer && peer->owner)
            victims_.insert(peer->owner);
        return lost->sever(0);
    }
    if (is_transient(error))
        return;
    if (const auto peer = on.peer(); peer && peer->owner)
        victims_.insert(peer->owner);
    if (what == call::connect)
        on.refuse(0);
    else if (error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ENOTCONN)
        on.sever(0);
}

/// Pretend for a while that there is nothing to read, or no room.
void world::stall(const std::shared_ptr<file>& on, bool input)
{
    if (input ? on->input_stalled() : on->output_stalled())
        return;
    input ? on->stall_input() : on->stall_output();
    const auto spread = static_cast<std::int64_t>(dice_.below(stall_ns));
    later(stall_ns + spread, [weak = std::weak_ptr{on}, input] {
        if (const auto alive = weak.lock())
            input ? alive->end_input_stall() : alive->end_output_stall();
    });
}

// --- memory -----------------------------------------------------------------------------------------

std::ptrdiff_t world::mapped_bytes() const noexcept
{
    return static_cast<std::ptrdiff_t>(memory_books::get().bytes()) -
           static_cast<std::ptrdiff_t>(mapped_before_);
}

} // namespace vk::sim
