#pragma once

// supervisor: a process that keeps others running.
//
// It means what OTP's `supervisor` does, by the same names, with children that are known from the start: it starts them
// in order, restarts those that end as their kind and the strategy say, and ends them in reverse order when it is to
// end itself. When more than `intensity` restarts fall into a `period` it gives up: it ends all children and then itself,
// so that whoever supervises it decides. A child may be a supervisor.
//
// What of OTP is not here: children that are added later (start_child, simple_one_for_one), significant children
// and auto_shutdown. A supervisor counts as started when it runs, not when all of its children do: if one
// cannot be started, that is its end.
//
// A supervisor is a program: it lies outside of all heaps and outlives its processes; what a run of it knows of its
// children is in the heap of that run.

#include "vk/kernel/stop.hpp"
#include "vk/kernel/task_program.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vk {

/// Who is restarted when a child has to be.
enum class strategy : std::uint8_t {
    one_for_one,  // that child
    one_for_all,  // all of them: the others are ended first
    rest_for_one, // that child, and those that were started after it
};

/// Whether a child that has ended is restarted.
enum class restart : std::uint8_t {
    permanent, // always
    transient, // if it failed: an end that is normal, or that somebody ordered (exit_reason::kind::cancelled), is its end
    temporary, // never, not even with others
};

class supervisor;

/// What a child runs: a coroutine function as vk::task_program takes it, or a program, which must outlive the supervisor.
class child_program final : public program {
public:
    template <std::convertible_to<task_function<>> Main>
    child_program(const Main& main) noexcept // NOLINT(google-explicit-constructor)
        : what_(std::in_place_type<task_program>, main)
    {
    }
    child_program(const program& other) noexcept // NOLINT(google-explicit-constructor)
        : what_(&other)
    {
    }
    child_program(const supervisor& other) noexcept; // NOLINT(google-explicit-constructor)
    child_program(const child_program& other) noexcept = default;

    void start(process& fresh, int fd) const override;

    bool is_supervisor() const noexcept { return is_supervisor_; }

private:
    std::variant<task_program, const program*> what_;
    bool is_supervisor_ = false;
};

struct child_spec {
    std::string name; // in the log
    child_program run;
    enum restart restart = restart::permanent;

    /// How long it may take to end, from being cancelled to being discarded; brutal_kill: it is discarded at once;
    /// infinity: it is waited for. If not said, infinity for a supervisor, and limits::shutdown_ms_default.
    std::optional<std::chrono::milliseconds> shutdown = std::nullopt;
};

struct supervisor_options {
    enum strategy strategy = strategy::one_for_one;

    /// More restarts than `intensity` within `period` are too many.
    std::uint32_t intensity = 1;
    std::chrono::milliseconds period{5'000};
};

class supervisor final : public program {
public:
    supervisor(const supervisor_options& how, std::vector<child_spec> children)
        : how_(how), children_(std::move(children))
    {
    }
    supervisor(const supervisor&) = delete;
    supervisor& operator=(const supervisor&) = delete;

    /// Have `fresh` supervise. It ends normally when it is told to end (the kernel drains, or it is cancelled) and all
    /// children have; by `cancelled`, as OTP's end by `shutdown`, when it has given up; by the error, if a child
    /// could not be started in the first place.
    void start(process& fresh, int fd) const override;

    const supervisor_options& options() const noexcept { return how_; }
    const std::vector<child_spec>& children() const noexcept { return children_; }

private:
    supervisor_options how_;
    std::vector<child_spec> children_;
};

inline child_program::child_program(const supervisor& other) noexcept
    : what_(static_cast<const program*>(&other)), is_supervisor_(true)
{
}

} // namespace vk
