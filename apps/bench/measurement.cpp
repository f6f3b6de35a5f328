#include "bench/measurement.hpp"

#include "bench/dialogue.hpp"
#include "bench/machine.hpp"

namespace vk::bench {

namespace {

std::int64_t ns(double seconds)
{
    return static_cast<std::int64_t>(seconds * 1e9);
}

} // namespace

measurement::measurement(pid_t server, span_of_time time)
    : server_(server), time_(time), began_(now_ns())
{
    enter(time.warm_up_s > 0 ? phase::warming : phase::measuring, began_);
}

void measurement::enter(phase next, std::int64_t now)
{
    const std::int64_t cpu = cpu_ns(server_);
    if (phase_ == phase::measuring) {
        result_.seconds = static_cast<double>(now - phase_began_) / 1e9;
        result_.server_cpu_s = static_cast<double>(cpu - cpu_began_) / 1e9;
    }
    phase_ = next;
    phase_began_ = now;
    cpu_began_ = cpu;
}

std::int64_t measurement::warm_at() const noexcept
{
    return began_ + ns(time_.warm_up_s);
}

void measurement::end_warming(std::int64_t now)
{
    if (warming() && now >= warm_at())
        enter(phase::measuring, now);
}

void measurement::end_measuring(std::int64_t now)
{
    if (measuring() && now - phase_began_ >= ns(time_.measured_s))
        enter(phase::draining, now);
}

void measurement::drain(std::int64_t now)
{
    enter(phase::draining, now);
}

load_result measurement::finish(std::uint64_t answered)
{
    result_.answered = answered;
    return result_;
}

std::int64_t patience::check(bool something, std::int64_t now)
{
    if (something)
        seen_at_ = now;
    else if (now - seen_at_ > stall_ms_max * 1'000'000ll)
        throw load_error("the server stopped answering");
    return now - seen_at_;
}

} // namespace vk::bench
