// Threads of one process on the simulated operating system, whose time is virtual: for each seed a scene of a few of them
// that talk to each other in every way there is, in random order, with random pauses and cancellations. What must hold:
//
// 1. Each value of a channel is received once; each request has its answer, or fails.
// 2. A mutex has one holder, a semaphore no more than its units; all are given back.
// 3. Each byte passes a pipeline once and in order, though its reader races with timers.
// 4. Nobody waits for what has come: a run in which all wait ends by EDEADLK, and says the seed.
// 5. Nothing is left: no thread, no page of the heap, no block, no mapping.
//
// VK_SEED=N replays one scene, VK_SCHEDULES=N runs as many.

#include "support/catch.hpp"
#include "support/schedules.hpp"
#include "support/sim/schedule.hpp"

#include <vk/base/error.hpp>
#include <vk/base/log.hpp>
#include <vk/coroutine/generator.hpp>
#include <vk/io/pipeline.hpp>
#include <vk/proc/channel.hpp>
#include <vk/proc/future.hpp>
#include <vk/proc/mutex.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/scope.hpp>
#include <vk/proc/semaphore.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/when_any.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using vk::process;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::sim::dice;
using vk::test::byte_at;

using doubling = vk::future<std::uint64_t, std::uint64_t>;

struct scene {
    explicit scene(std::uint64_t by) : seed(by), roll(by) {}

    void expect(bool right, const char* what)
    {
        if (!right && problem.empty())
            problem = what;
    }

    std::chrono::nanoseconds moment() { return std::chrono::nanoseconds(roll.below(3'000)); }

    std::uint64_t seed;
    dice roll;
    std::string problem;

    vk::channel<std::uint64_t, 2> values;
    std::size_t senders = 0;
    std::size_t sent = 0;
    std::array<bool, 64> received{};

    doubling asked;
    vk::mutex door;
    bool inside = false;
    vk::semaphore units{2};
    int in_use = 0;

    std::vector<thread_handle> working;   // and join
    std::vector<thread_handle> answering; // until they are cancelled
};

task<> dawdle(scene& in)
{
    if (in.roll.chance(0.3))
        co_await vk::yield();
    if (in.roll.chance(0.2))
        co_await vk::sleep_for(in.moment());
}

// What is cancelled has not been done, and is done again.
template <class Step>
task<> insist(Step step)
{
    for (;;) {
        try {
            task<> trying = step();
            co_await std::move(trying);
            co_return;
        } catch (const vk::cancelled&) {
        } catch (const vk::timed_out&) {
        }
    }
}

// --- values

task<> send_values(scene* in, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t number = in->sent++;
        auto send = [in, number]() -> task<> {
            auto sending = in->values.send(number);
            const bool taken = co_await sending;
            in->expect(taken, "a channel that is open takes nothing");
        };
        task<> insisting = insist(send);
        co_await std::move(insisting);
        task<> dawdling = insist([in] { return dawdle(*in); });
        co_await std::move(dawdling);
    }
    if (--in->senders == 0)
        in->values.close();
}

void note(scene& in, std::uint64_t number)
{
    in.expect(!in.received[number], "a value is received twice");
    in.received[number] = true;
}

// One way or another; returns whether there will be more.
task<bool> receive_value(scene& in)
{
    std::optional<std::uint64_t> value;
    if (in.roll.chance(0.5)) {
        auto won = co_await vk::when_any(in.values.receive(), vk::sleep_for(in.moment()));
        if (!won.has<0>())
            co_return true;
        value = *won.get<0>();
    } else {
        value = co_await vk::timeout(in.moment(), in.values.receive());
    }
    if (value)
        note(in, *value);
    co_return value.has_value();
}

task<> receive_values(scene* in)
{
    for (bool more = true; more;) {
        auto receive = [in, &more]() -> task<> {
            task<bool> receiving = receive_value(*in);
            more = co_await std::move(receiving);
        };
        task<> insisting = insist(receive);
        co_await std::move(insisting);
    }
}

// --- requests

task<> answer_requests(scene* in)
{
    vk::responder from(in->asked);
    for (;;) {
        try {
            auto listening = from.listen();
            auto one = co_await listening;
            task<> dawdling = dawdle(*in);
            co_await std::move(dawdling);
            if (!in->roll.chance(0.1)) // else it fails
                one.respond(2 * one.request());
        } catch (const vk::cancelled&) {
            if (in->working.empty())
                co_return;
        }
    }
}

task<> make_requests(scene* in, std::uint64_t count)
{
    for (std::uint64_t i = 0; i < count; ++i) {
        auto ask = [in, i]() -> task<> {
            try {
                const std::uint64_t answer =
                    co_await vk::timeout(in->moment() * 10, in->asked.request(i));
                in->expect(answer == 2 * i, "an answer is another's");
            } catch (const vk::timed_out&) {
                throw;
            } catch (const vk::cancelled&) {
                throw;
            } catch (const vk::error& e) {
                in->expect(e.code().value() == EPIPE, "a request fails by another error");
            }
        };
        task<> insisting = insist(ask);
        co_await std::move(insisting);
    }
}

// --- what is held

task<> hold_door(scene& in)
{
    auto held = co_await in.door.lock();
    in.expect(!in.inside, "a mutex has two holders");
    in.inside = true;
    struct leaves {
        bool& inside;
        ~leaves() { inside = false; }
    } here{in.inside};
    task<> dawdling = dawdle(in);
    co_await std::move(dawdling);
}

task<> hold_unit(scene& in)
{
    co_await in.units.acquire();
    struct gives_back {
        scene& of;
        ~gives_back()
        {
            --of.in_use;
            of.units.release();
        }
    } here{in};
    in.expect(++in.in_use <= 2, "a semaphore gave more than it has");
    task<> dawdling = dawdle(in);
    co_await std::move(dawdling);
}

task<> hold_things(scene* in, std::size_t times)
{
    for (std::size_t i = 0; i < times; ++i) {
        const bool door = in->roll.chance(0.5);
        auto hold = [in, door]() -> task<> {
            task<> holding = door ? hold_door(*in) : hold_unit(*in);
            co_await vk::timeout(in->moment() * 20, std::move(holding));
        };
        task<> insisting = insist(hold);
        co_await std::move(insisting);
    }
}

// --- scopes

task<> child(scene* in, int* live, bool fails)
{
    struct counted {
        int& of;
        explicit counted(int& all) : of(++all) {}
        ~counted() { --of; }
    } here(*live);
    co_await vk::sleep_for(in->moment());
    if (fails)
        throw std::runtime_error("child");
}

task<> open_scope(scene* in)
{
    int live = 0;
    std::size_t failing = 0;
    bool failed = false;
    bool ended = false;
    try {
        co_await vk::in_scope(
            [](vk::scope& all, scene* of, int* children, std::size_t* failures) -> task<> {
                for (std::uint64_t n = of->roll.below(4); n > 0; --n) {
                    const bool fails = of->roll.chance(0.2);
                    *failures += fails;
                    all.spawn(child, of, children, fails);
                }
                task<> dawdling = dawdle(*of);
                co_await std::move(dawdling);
            },
            in, &live, &failing);
    } catch (const vk::cancelled&) {
        ended = true;
    } catch (const std::runtime_error&) {
        failed = true;
    }
    in->expect(live == 0, "a scope leaves a child behind");
    in->expect(ended || failed == (failing > 0), "a scope hides a failure, or makes one up");
}

// --- bytes

vk::generator<std::string_view> pieces(scene& in, std::span<const char> all)
{
    while (!all.empty()) {
        const std::size_t most = std::size_t{1} << in.roll.below(12);
        const std::size_t length = std::min<std::size_t>(1 + in.roll.below(most), all.size());
        std::string_view piece(all.data(), length);
        co_yield piece;
        all = all.subspan(length);
        task<> dawdling = dawdle(in);
        co_await std::move(dawdling);
    }
}

task<> write_bytes(scene* in, vk::socket* to, std::span<const char> all)
{
    auto some = pieces(*in, all);
    while (auto* piece = co_await some.next())
        co_await to->write(*piece);
    if (in->roll.chance(0.5))
        co_await to->hup();
    co_await to->tx_close();
}

task<> write_owned(scene* in, vk::socket* to, std::vector<char> all)
{
    task<> writing = write_bytes(in, to, std::span<const char>(all));
    co_await std::move(writing);
}

task<> pass_on(vk::socket& io, bool copies)
{
    if (!copies) {
        (void)co_await io.forward();
        co_return;
    }
    std::array<char, 300> some;
    while (std::size_t count = co_await io.read(std::span(some)))
        co_await io.write(std::string_view(some.data(), count));
}

task<> read_bytes(scene* in, vk::socket* from, std::size_t expected)
{
    std::size_t at = 0;
    std::array<char, 2'000> some;
    bool over = false;
    while (!over && in->problem.empty()) {
        auto read = [&]() -> task<> {
            const std::size_t most = 1 + in->roll.below(some.size());
            auto won = co_await vk::when_any(from->read(std::span(some).first(most)),
                                             vk::sleep_for(in->moment()));
            if (!won.has<0>())
                co_return;
            const std::size_t count = *won.get<0>();
            for (std::size_t i = 0; i < count; ++i)
                in->expect(some[i] == byte_at(in->seed, at + i), "a byte is lost, or read twice");
            at += count;
            over = count < most;
        };
        task<> insisting = insist(read);
        co_await std::move(insisting);
    }
    in->expect(at == expected, "bytes are missing at the end");
    co_await from->read_hup();
}

// --- the scene

task<> disturb(scene* in)
{
    while (!in->working.empty()) {
        co_await vk::sleep_for(in->moment());
        auto& some = in->roll.chance(0.8) ? in->working : in->answering;
        if (!some.empty() && in->roll.chance(0.5))
            some[in->roll.below(some.size())].cancel();
    }
}

void start_talkers(scene& in)
{
    in.senders = 1 + in.roll.below(3);
    for (std::size_t n = in.senders; n > 0; --n)
        in.working.push_back(spawn(send_values, &in, in.roll.below(8)));
    for (std::uint64_t n = 1 + in.roll.below(2); n > 0; --n)
        in.working.push_back(spawn(receive_values, &in));
    for (std::uint64_t n = 1 + in.roll.below(2); n > 0; --n)
        in.answering.push_back(spawn(answer_requests, &in));
    for (std::uint64_t n = in.roll.below(3); n > 0; --n)
        in.working.push_back(spawn(make_requests, &in, in.roll.below(5)));
    for (std::uint64_t n = in.roll.below(4); n > 0; --n)
        in.working.push_back(spawn(hold_things, &in, in.roll.below(4)));
    for (std::uint64_t n = in.roll.below(2); n > 0; --n)
        in.working.push_back(spawn(open_scope, &in));
}

task<> pass_bytes(scene& in)
{
    std::vector<char> all(in.roll.chance(0.05) ? 40'000 : in.roll.below(1'500));
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = byte_at(in.seed, i);
    vk::socket near;
    vk::socket far;
    bind(near, far);
    std::vector<thread_handle> stages;
    for (std::uint64_t n = in.roll.below(4); n > 0; --n)
        stages.push_back(vk::spawn_pipeline(near, pass_on, in.roll.chance(0.5)));
    const std::size_t count = all.size();
    thread_handle writing = spawn(write_owned, &in, &near, std::move(all));
    in.working.push_back(spawn(read_bytes, &in, &far, count));
    // Those that are disturbed may take their time; the last of them is the reader.
    thread_handle disturbing = spawn(disturb, &in);
    while (!in.working.empty()) {
        co_await in.working.back().join();
        in.working.pop_back();
    }
    co_await writing.join();
    for (thread_handle& stage : stages)
        co_await stage.join();
    co_await disturbing.join();
    for (thread_handle& one : in.answering) {
        one.cancel();
        co_await one.join();
    }
}

task<> play(scene& in)
{
    start_talkers(in);
    task<> passing = pass_bytes(in);
    co_await std::move(passing);
    in.working.clear();
    in.answering.clear();
    for (std::size_t i = 0; i < in.sent; ++i)
        in.expect(in.received[i], "a value is lost");
    in.expect(in.units.units() == 2, "units are lost");
    in.expect(process::current().threads() == 1, "threads are left");
    in.expect(process::current().shared().blocks.lent() == 0, "blocks are left");
}

std::string problems_of(std::uint64_t seed)
{
    vk::sim::world world({.seed = seed});
    std::string found;
    {
        scene in(seed);
        try {
            vk::run_local({.heap_pages = 128}, play, in);
        } catch (const std::exception& e) {
            found = e.what();
        }
        if (found.empty())
            found = in.problem;
    }
    return found + vk::sim::left_behind(world);
}

} // namespace

TEST_CASE("threads that talk to each other in every way do so rightly, whatever the schedule")
{
    vk::log::set_level(vk::log::level::error);
    const vk::test::schedules wanted(40'000);
    for (std::uint64_t seed = wanted.first; seed <= wanted.last; ++seed) {
        INFO("VK_SEED=" << seed);
        REQUIRE(problems_of(seed) == "");
    }
}
