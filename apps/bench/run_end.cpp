// vk-bench end: how long it takes until a process has ended, by how many coroutine frames live in it.
//
// The frames are of tasks that call each other, the innermost of which blocks. Dropped: the process
// is not run again, and its heap goes back to the pool, which is what a kernel does with one that
// cannot or will not end by itself. Masked: the same where the heap is to be closed, as on the levels
// `process` and `full` for the process that ran last. Unwound: every thread is cancelled, and the
// frames end one after the other; then the heap goes back too. Afterwards: what was left of a drop
// for a turn in which there is nothing else to do. Each sample is of a fresh process, all of whose
// pages are new.

#include "bench/in_turn.hpp"
#include "bench/machine.hpp"
#include "bench/run.hpp"
#include "bench/sample.hpp"

#include "vk/base/os.hpp"
#include "vk/memory/heap_pool.hpp"
#include "vk/proc/process.hpp"
#include "vk/proc/yield.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr std::size_t frame_bytes_max = 512; // in any build
constexpr std::size_t spare_pages = 64;

struct sample {
    double dropped = 0; // all in microseconds
    double afterwards = 0;
    double masked = 0;
    double unwound = 0;
    double pages = 0;
};

struct entry {
    int frames;
    std::vector<sample> samples;
    std::string failure;
};

task<> nest(int frames)
{
    if (frames > 1)
        co_await nest(frames - 1);
    else
        co_await sleep_for(std::chrono::hours(24));
}

std::size_t pages_of(int frames)
{
    return spare_pages + pages_for(static_cast<std::size_t>(frames) * frame_bytes_max);
}

template <class Operation>
double microseconds(Operation operation)
{
    const std::int64_t began = now_ns();
    operation();
    return static_cast<double>(now_ns() - began) / 1e3;
}

/// A heap of a pool, open, which must outlive it.
class open_heap {
public:
    explicit open_heap(heap_pool& pool) : pool_(pool), at_(pool.take())
    {
        if (at_ == nullptr || os::protect(at_, pool.heap_bytes(), os::access::read_write) < 0)
            throw std::bad_alloc();
    }
    ~open_heap()
    {
        if (at_ != nullptr)
            give(1);
    }
    open_heap(const open_heap&) = delete;
    open_heap& operator=(const open_heap&) = delete;

    void* at() const noexcept { return at_; }
    void give(std::size_t pages_used) noexcept
    {
        pool_.give(std::exchange(at_, nullptr), pages_used, true);
    }

private:
    heap_pool& pool_;
    void* at_;
};

/// A process with that many frames, all threads of which are blocked.
class nested {
public:
    nested(heap_pool& pool, commons& shared, int frames)
        : memory_(pool), made_(process::create(memory_.at(), pool.heap_pages(), shared, 1))
    {
        made_.start([frames] { return nest(frames); });
        run_until(outcome::blocked);
    }

    void drop() { memory_.give(pages()); }

    void unwind()
    {
        made_.cancel();
        run_until(outcome::ended);
        drop();
    }

    std::size_t pages() const { return made_.heap().pages_high_water(); }

private:
    void run_until(outcome wanted)
    {
        outcome came = outcome::ready;
        while (came == outcome::ready)
            came = made_.dispatch();
        if (came != wanted)
            throw std::runtime_error("the process did not do what it was told");
    }

    open_heap memory_;
    process& made_;
};

sample measure(int frames, commons& shared)
{
    heap_pool open({.heap_pages = pages_of(frames), .heaps = 1});
    heap_pool masked({.heap_pages = pages_of(frames), .heaps = 1, .masked = true});
    sample s;
    nested first(open, shared, frames);
    s.pages = static_cast<double>(first.pages());
    s.dropped = microseconds([&] { first.drop(); });
    s.afterwards = open.soiled() ? microseconds([&] { open.discard_one(); }) : 0;
    nested second(masked, shared, frames);
    s.masked = microseconds([&] { second.drop(); });
    nested third(open, shared, frames);
    s.unwound = microseconds([&] { third.unwind(); });
    return s;
}

row to_row(const entry& subject, const entry& baseline, const char* group, double sample::* member)
{
    row r;
    r.group = group;
    r.name = fmt::format("{} frame{}", subject.frames, subject.frames == 1 ? "" : "s");
    r.baseline = fmt::format("{} frame{}", baseline.frames, baseline.frames == 1 ? "" : "s");
    r.unit = "us";
    r.decimals = 1;
    r.failure = subject.failure;
    r.samples = column(subject.samples, member);
    r.value = median(r.samples);
    r.ratio = paired_ratio(r.samples, column(baseline.samples, member));
    r.more = {{"pages", median(column(subject.samples, &sample::pages)), 0}};
    if (member == &sample::dropped)
        r.more.push_back(
            {"afterwards us", median(column(subject.samples, &sample::afterwards)), 1});
    return r;
}

curve drawn(const std::vector<entry>& entries, const char* panel, const char* name,
            double sample::* member)
{
    curve c{panel, name, {}, as_power_of_ten};
    for (const auto& each : entries)
        if (each.failure.empty())
            c.points.push_back({std::log10(each.frames), median(column(each.samples, member))});
    return c;
}

struct way {
    const char* name;
    double sample::* member;
};

constexpr way ways[] = {{"dropped", &sample::dropped},
                        {"dropped, masked", &sample::masked},
                        {"unwound", &sample::unwound}};

void add_curves(const std::vector<entry>& entries, report& into)
{
    for (const auto& each : ways)
        into.add(
            drawn(entries, "us until a process has ended, by its frames", each.name, each.member));
    for (const auto& each : ways)
        if (each.member != &sample::unwound)
            into.add(drawn(entries, "the same without what is unwound", each.name, each.member));
}

} // namespace

void run_end(const end_options& options, report& into)
{
    pin(options.core);
    commons shared(1);
    shared.now = os::now();
    std::vector<entry> entries;
    for (const int frames : options.frames)
        entries.push_back({frames, {}, {}});
    in_turn(options.rounds, entries,
            [&](entry& each) { each.samples.push_back(measure(each.frames, shared)); });
    for (const auto& way : ways)
        for (const auto& each : entries)
            into.add(to_row(each, entries.front(), way.name, way.member));
    if (std::any_of(entries.begin(), entries.end(),
                    [](const entry& each) { return !each.failure.empty(); }))
        return; // the rows are drawn, and say why
    add_curves(entries, into);
}

} // namespace vk::bench
