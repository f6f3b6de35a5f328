#pragma once

// measurement: the phases of a run of the load generator, and what it counted in the one that
// counts.
//
// warming -> measuring -> draining. Only what is answered while measuring counts; draining ends
// when nothing is in flight any more.

#include "bench/histogram.hpp"

#include <cstdint>

#include <sys/types.h>

namespace vk::bench {

struct span_of_time {
    double warm_up_s = 0.2;
    double measured_s = 1;
};

struct load_result {
    std::uint64_t requests = 0; // answered while measuring
    std::uint64_t answered = 0; // answered at all, from the first to the last
    double seconds = 0;         // how long measuring was
    double server_cpu_s = 0;    // CPU time of the server in it
    histogram latency;          // of a batch (closed loop) or of a request (open loop)
    histogram turn;             // of the load generator: what it adds to a latency (offer())

    double per_second() const { return seconds > 0 ? static_cast<double>(requests) / seconds : 0; }
    double server_ns_each() const
    {
        return requests > 0 ? server_cpu_s * 1e9 / static_cast<double>(requests) : 0;
    }
    double server_busy() const { return seconds > 0 ? server_cpu_s / seconds : 0; }
};

class measurement {
public:
    enum class phase { warming, measuring, draining };

    /// Begins to warm up, or to measure at once where there is no time for it.
    measurement(pid_t server, span_of_time time);

    bool warming() const noexcept { return phase_ == phase::warming; }
    bool measuring() const noexcept { return phase_ == phase::measuring; }
    bool draining() const noexcept { return phase_ == phase::draining; }

    std::int64_t began() const noexcept { return began_; }

    /// When warming up was meant to end: it ends a little later, or much on a busy machine.
    std::int64_t warm_at() const noexcept;

    /// Enter the next phase when this one's time is over. Warming up alone ends so in an open loop,
    /// which measures until its last answer.
    void end_warming(std::int64_t now);
    void end_measuring(std::int64_t now);

    void drain(std::int64_t now);

    /// `requests` were answered, the last of them `took_ns` after it was sent.
    void record(std::int64_t took_ns, std::uint64_t requests) noexcept
    {
        result_.latency.record(took_ns);
        result_.requests += requests;
    }

    /// The load generator looked at all its connections once, and did what is beside it.
    void turned(std::int64_t took_ns) noexcept
    {
        if (measuring())
            result_.turn.record(took_ns);
    }

    load_result finish(std::uint64_t answered);

private:
    void enter(phase next, std::int64_t now);

    pid_t server_;
    span_of_time time_;
    phase phase_ = phase::warming;
    std::int64_t began_;
    std::int64_t phase_began_ = 0;
    std::int64_t cpu_began_ = 0;
    load_result result_;
};

/// A server that answers nothing for some seconds while it owes an answer is a load_error.
class patience {
public:
    explicit patience(std::int64_t now) : seen_at_(now) {}

    static constexpr int stall_ms_max = 3'000;

    /// For how long nothing came, in nanoseconds.
    std::int64_t check(bool something, std::int64_t now);

private:
    std::int64_t seen_at_;
};

} // namespace vk::bench
