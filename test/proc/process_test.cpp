#include "proc/process_by_hand.hpp"
#include "proc/semaphore.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/mapping.hpp>
#include <vk/proc/process.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using vk::chore;
using vk::commons;
using vk::descriptor;
using vk::outcome;
using vk::process;
using vk::ready;
using vk::request;
using vk::spawn;
using vk::task;
using vk::test::process_by_hand;
using vk::test::semaphore;

namespace {

task<> take(semaphore* from)
{
    co_await from->take();
}

task<> take_quietly(semaphore* from, std::string* said)
{
    try {
        co_await from->take();
        *said += "taken ";
    } catch (const vk::error& e) {
        *said += e.code() == std::errc::operation_canceled ? "cancelled " : "late ";
    }
}

} // namespace

// --- outcomes ------------------------------------------------------------------------------------------

TEST_CASE("a process that waits is blocked, then ready to go on, then ended")
{
    process_by_hand on;
    semaphore gate;
    on.start(take, &gate);
    CHECK(on.made.id() == 9);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(on.made.next_deadline() == vk::never);
    CHECK(on.dispatch() == outcome::blocked); // nothing has changed
    CHECK(gate.waited_for());
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
    CHECK(gate.count() == 0);
    CHECK(on.shared->count.dispatches == 3);
    CHECK(on.shared->count.resumes == 2);
    CHECK(vk::frame_stack::current == nullptr);
}

TEST_CASE("what every process needs shares its first page")
{
    process_by_hand on;
    semaphore gate;
    on.start(take, &gate);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(on.made.heap().pages_used() == 1);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
    CHECK(on.made.heap().pages_high_water() == 1);
}

TEST_CASE("a process says what each of its threads waits for")
{
    process_by_hand on;
    semaphore gate;
    on.start(
        [](semaphore& gate) -> task<> {
            spawn(take, &gate).detach();
            co_await vk::sleep_for(std::chrono::hours(1));
        },
        gate);
    CHECK(on.dispatch() == outcome::blocked);
    std::vector<std::string> all;
    on.made.for_each_thread([&](const vk::thread& one) {
        CHECK(one.blocked());
        all.push_back(std::to_string(one.id()) + " " + one.waits_for().operation);
        CHECK(std::string(one.waits_for().where.file_name()).find("process_test.cpp") !=
              std::string::npos);
    });
    CHECK(all == std::vector<std::string>{"1 sleep", "2 take"});
    CHECK(on.made.next_deadline() != vk::never);
    on.made.cancel();
    vk::test::quiet quiet;
    CHECK(on.dispatch() == outcome::ended);
}

// --- budget --------------------------------------------------------------------------------------------

namespace {

task<> yield_for_ever(std::uint64_t* turns, bool* stop)
{
    while (!*stop) {
        ++*turns;
        co_await vk::yield();
    }
}

} // namespace

TEST_CASE("a process that never blocks is stopped by its budget of resumes, and goes on later")
{
    process_by_hand on;
    std::uint64_t turns = 0;
    bool stop = false;
    on.start(yield_for_ever, &turns, &stop);
    CHECK(on.dispatch() == outcome::ready);
    CHECK(turns == vk::limits::dispatch_resumes_max);
    CHECK(on.dispatch() == outcome::ready);
    CHECK(turns == 2 * vk::limits::dispatch_resumes_max);
    CHECK(on.shared->count.resumes == turns);
    stop = true;
    CHECK(on.dispatch() == outcome::ended);
}

TEST_CASE("every thread of a process gets its turn within the budget")
{
    process_by_hand on;
    std::uint64_t turns[3] = {};
    bool stop = false;
    on.start(
        [](std::uint64_t* turns, bool* stop) -> task<> {
            spawn(yield_for_ever, &turns[1], stop).detach();
            spawn(yield_for_ever, &turns[2], stop).detach();
            co_await yield_for_ever(&turns[0], stop);
        },
        turns, &stop);
    CHECK(on.dispatch() == outcome::ready);
    for (std::uint64_t each : turns)
        CHECK(each >= vk::limits::dispatch_resumes_max / 3);
    stop = true;
    CHECK(on.dispatch() == outcome::ended);
}

namespace {

task<> spend(std::int64_t bytes, int times, int* spent)
{
    for (int i = 0; i < times; ++i) {
        process::current().spend(bytes);
        ++*spent;
        co_await vk::yield();
    }
}

} // namespace

TEST_CASE("a process that moves many bytes is stopped by its budget of bytes")
{
    process_by_hand on;
    int spent = 0;
    constexpr std::int64_t quarter = vk::limits::dispatch_bytes_max / 4;
    on.start(spend, quarter, 6, &spent);
    CHECK(on.dispatch() == outcome::ready);
    CHECK(spent == 4);
    CHECK(on.dispatch() == outcome::ended); // the budget is new for each dispatch
    CHECK(spent == 6);
}

TEST_CASE("a thread can end the dispatch after its turn")
{
    process_by_hand on;
    int turns = 0;
    on.start(
        [](int& turns) -> task<> {
            for (int i = 0; i < 2; ++i) {
                ++turns;
                CHECK_FALSE(process::current().spent());
                process::current().spend_all();
                CHECK(process::current().spent());
                co_await vk::yield();
            }
        },
        turns);
    CHECK(on.dispatch() == outcome::ready);
    CHECK(turns == 1);
    CHECK(on.dispatch() == outcome::ready);
    CHECK(turns == 2);
    CHECK(on.dispatch() == outcome::ended);
}

// --- timers --------------------------------------------------------------------------------------------

TEST_CASE("deadlines are compared with the clock of this turn")
{
    process_by_hand on;
    semaphore gate;
    std::string said;
    struct with_deadline {
        static task<> run(semaphore* gate, std::string* said)
        {
            try {
                co_await gate->take(1000);
                *said += "taken";
            } catch (const vk::timed_out&) {
                *said += "late";
            }
        }
    };
    on.shared->now = 10;
    on.start(with_deadline::run, &gate, &said);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(on.made.next_deadline() == 1000);
    on.shared->now = 999;
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(said.empty());
    on.shared->now = 1000;
    CHECK(on.dispatch() == outcome::ended);
    CHECK(said == "late");
    CHECK(on.made.next_deadline() == vk::never);
}

// --- chores --------------------------------------------------------------------------------------------

TEST_CASE("a chore runs once, when the threads have run, however often it was added")
{
    struct noting : chore {
        std::string* said;
    };
    process_by_hand on;
    std::string said;
    noting due;
    due.said = &said;
    due.run = [](chore& node) noexcept { *static_cast<noting&>(node).said += "chore "; };
    on.start(
        [](noting& due) -> task<> {
            for (int i = 0; i < 3; ++i) {
                process::current().add_chore(due);
                *due.said += "thread ";
                co_await vk::yield();
            }
        },
        due);
    CHECK(on.dispatch() == outcome::ended);
    CHECK(said == "thread thread thread chore ");
}

// --- requests ------------------------------------------------------------------------------------------

TEST_CASE("an fd that is waited for is watched by one request, which says where and for what")
{
    process_by_hand on;
    semaphore gate;
    descriptor at(5);
    on.start(take, &gate);
    on.made.watch(at, ready::in);
    on.made.watch(at, ready::in);
    CHECK_FALSE(at.watched());
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(at.watched());

    auto left = on.take_requests();
    REQUIRE(left.size() == 1);
    CHECK(left[0].what_to_do == request::verb::watch);
    CHECK(left[0].fd == 5);
    CHECK(left[0].where == &at);
    CHECK(left[0].interest == ready::in);

    gate.give();
    CHECK(on.dispatch() == outcome::ended);
}

TEST_CASE("where an fd is registered once, only a wait for room is a new request")
{
    process_by_hand on;
    semaphore gate;
    descriptor at(5);
    on.start(take, &gate);
    on.shared->registers_once = true;
    on.made.watch(at, ready::in);
    on.dispatch();
    CHECK(on.take_requests().size() == 1);
    on.made.watch(at, ready::in);
    on.dispatch();
    CHECK(on.take_requests().empty());
    on.made.watch(at, ready::out);
    on.dispatch();
    auto left = on.take_requests();
    REQUIRE(left.size() == 1);
    CHECK(left[0].interest == ready::out);

    on.shared->registers_once = false;
    on.made.watch(at, ready::in);
    on.dispatch();
    CHECK(on.take_requests().size() == 1);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
}

TEST_CASE("an fd that the process is done with is closed by request, once, and not watched")
{
    process_by_hand on;
    semaphore gate;
    descriptor at(5);
    on.start(take, &gate);
    on.made.watch(at, ready::in);
    on.made.close(at);
    on.made.close(at);
    on.dispatch();
    auto left = on.take_requests();
    REQUIRE(left.size() == 1);
    CHECK(left[0].what_to_do == request::verb::close);
    CHECK(left[0].fd == 5);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
}

TEST_CASE("requests that do not fit in the mailbox are left at the next dispatch")
{
    process_by_hand on;
    semaphore gate;
    descriptor a(5);
    descriptor b(6);
    on.start(take, &gate);
    for (std::size_t i = 1; i < vk::limits::batch_requests_max; ++i)
        REQUIRE(on.shared->requests.leave({request::verb::vacancy}));
    on.made.watch(a, ready::in);
    on.made.watch(b, ready::out);
    CHECK(on.dispatch() == outcome::ready); // run it again
    CHECK(a.watched());
    CHECK_FALSE(b.watched());
    on.take_requests();
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(b.watched());
    auto left = on.take_requests();
    REQUIRE(left.size() == 1);
    CHECK(left[0].fd == 6);
    CHECK(left[0].interest == ready::out);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
}

// --- readiness -----------------------------------------------------------------------------------------

namespace {

// Waits in a list, as a socket's operations do, and says when it was woken.
class waiting {
public:
    waiting(vk::wait_list& in, int fd) noexcept : in_(&in), fd_(fd) {}

    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        vk::thread::current().block(caller, *in_, {"wait", fd_, vk::never, {}});
    }
    static void await_resume() { vk::thread::current().check_wake("wait"); }

private:
    vk::wait_list* in_;
    int fd_;
};

task<> wait_in(vk::wait_list* list, int fd, std::string* said, std::string name)
{
    try {
        co_await waiting(*list, fd);
        *said += name + " ";
    } catch (const vk::cancelled&) {
        *said += name + "! ";
    }
}

struct reader_and_writer {
    vk::wait_list readers;
    vk::wait_list writers;
    descriptor at{5};
    std::string said;

    reader_and_writer()
    {
        at.readers = &readers;
        at.writers = &writers;
        at.may_read = at.may_write = false;
    }

    static task<> run(reader_and_writer* self)
    {
        spawn(wait_in, &self->readers, 5, &self->said, "read").detach();
        spawn(wait_in, &self->writers, 5, &self->said, "write").detach();
        co_return;
    }
};

} // namespace

TEST_CASE("readiness wakes those who wait for it, and no others")
{
    process_by_hand on;
    reader_and_writer parts;
    on.start(reader_and_writer::run, &parts);
    CHECK(on.dispatch() == outcome::blocked);

    SECTION("bytes wake the reader")
    {
        on.made.refresh(parts.at, ready::in);
        CHECK(on.dispatch() == outcome::blocked);
        CHECK(parts.said == "read ");
        CHECK(parts.at.may_read);
        CHECK_FALSE(parts.at.may_write);
        CHECK_FALSE(parts.at.hang_up);
        on.made.refresh(parts.at, ready::out);
    }
    SECTION("room wakes the writer")
    {
        on.made.refresh(parts.at, ready::out);
        CHECK(on.dispatch() == outcome::blocked);
        CHECK(parts.said == "write ");
        CHECK(parts.at.may_write);
        CHECK_FALSE(parts.at.may_read);
        on.made.refresh(parts.at, ready::in);
    }
    SECTION("a hang-up wakes the reader, and what is left is read before it is an end")
    {
        on.made.refresh(parts.at, ready::hang_up);
        CHECK(on.dispatch() == outcome::blocked);
        CHECK(parts.said == "read ");
        CHECK(parts.at.hang_up);
        CHECK_FALSE(parts.at.at_end());
        parts.at.drained();
        CHECK(parts.at.at_end());
        on.made.refresh(parts.at, ready::out);
    }
    SECTION("a failure wakes both")
    {
        on.made.refresh(parts.at, ready::failed);
        CHECK(parts.at.may_read);
        CHECK(parts.at.may_write);
    }
    CHECK(on.dispatch() == outcome::ended);
    CHECK(parts.said.size() == std::string("read write ").size());
}

TEST_CASE("room that nobody lacked is no news")
{
    struct noting : chore {
        bool ran = false;
    };
    process_by_hand on;
    semaphore gate;
    noting due;
    due.run = [](chore& node) noexcept { static_cast<noting&>(node).ran = true; };
    descriptor at(5);
    at.on_writable = &due;
    on.start(take, &gate);
    on.made.refresh(at, ready::out);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK_FALSE(due.ran);
    at.filled();
    on.made.refresh(at, ready::out);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(due.ran);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
}

TEST_CASE("a short read means that nothing is left only where the stream is exact")
{
    descriptor tcp(5, vk::fd_kind::tcp);
    tcp.took(1, true);
    CHECK_FALSE(tcp.may_read);

    for (vk::fd_kind kind : {vk::fd_kind::other, vk::fd_kind::unix_socket}) {
        descriptor inexact(5, kind);
        inexact.took(1, true);
        CHECK(inexact.may_read);
        inexact.drained();
        CHECK_FALSE(inexact.may_read);
    }
}

TEST_CASE(
    "where the poller told how many bytes there are, a read that has taken them has drained the fd")
{
    for (vk::fd_kind kind : {vk::fd_kind::tcp, vk::fd_kind::other}) {
        descriptor at(5, kind);
        at.there = 10;
        at.took(4, true); // as at an urgent mark
        CHECK(at.may_read);
        at.took(6, false);
        CHECK_FALSE(at.may_read);
    }
    descriptor overtaken(5);
    overtaken.there = 10;
    overtaken.took(15, false); // of what came since an edge tells
    CHECK_FALSE(overtaken.may_read);
}

TEST_CASE("an urgent mark makes a stream inexact")
{
    process_by_hand on;
    semaphore gate;
    descriptor at(5, vk::fd_kind::tcp);
    on.start(take, &gate);
    on.dispatch();
    on.made.refresh(at, ready::in | ready::urgent);
    at.took(1, true);
    CHECK(at.may_read);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
}

// --- the end -------------------------------------------------------------------------------------------

TEST_CASE("draining wakes those who wait for an fd, and no others")
{
    process_by_hand on;
    vk::wait_list readers;
    vk::wait_list others;
    std::string said;
    on.start(
        [](vk::wait_list* readers, vk::wait_list* others, std::string* said) -> task<> {
            spawn(wait_in, readers, 5, said, "fd").detach();
            spawn(wait_in, others, -1, said, "other").detach();
            co_return;
        },
        &readers, &others, &said);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK_FALSE(on.made.draining());
    on.made.drain();
    CHECK(on.made.draining());
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(said == "fd ");
    on.made.cancel();
    CHECK(on.dispatch() == outcome::ended);
    CHECK(said == "fd other! ");
}

TEST_CASE("cancelling a process ends the operation of each thread, blocked or not yet")
{
    process_by_hand on;
    semaphore gate;
    std::string said;
    on.start(
        [](semaphore* gate, std::string* said) -> task<> {
            spawn(take_quietly, gate, said).detach();
            spawn(take_quietly, gate, said).detach();
            co_await vk::yield();
            process::current().cancel();
            co_await take_quietly(gate, said);
        },
        &gate, &said);
    CHECK(on.dispatch() == outcome::ended);
    CHECK(said == "cancelled cancelled cancelled ");
}

namespace {

task<> fail_when_given(semaphore* gate)
{
    co_await gate->take();
    throw std::runtime_error("given");
}

} // namespace

TEST_CASE("a process that fails is counted once, however many threads end with it")
{
    vk::test::quiet quiet;
    process_by_hand on;
    semaphore gate;
    semaphore never;
    on.start(
        [](semaphore* gate, semaphore* never) -> task<> {
            spawn(take, never).detach();
            spawn(take, never).detach();
            spawn(take, never).detach();
            co_await fail_when_given(gate);
        },
        &gate, &never);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(on.shared->count.processes_failed == 0);
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
    CHECK(on.shared->count.processes_failed == 1);
}

TEST_CASE("a process whose heap is too small for itself is refused")
{
    vk::test::quiet quiet;
    vk::mapping memory(4096);
    auto shared = std::make_unique<commons>(1);
    process& small = process::create(memory.base(), 1, *shared, 1);
    CHECK_THROWS_AS(small.start([]() -> task<> {
        volatile char much[4096] = {};
        co_await vk::yield();
        CHECK(much[0] == 0);
    }),
                    vk::heap_exhausted);
    CHECK(vk::frame_stack::current == nullptr);
}

TEST_CASE("what a process keeps is found by its key, and ended once, after its last thread, the "
          "latest first")
{
    struct thing : vk::belonging {
        thing(const void* known_by, std::string* into) : said(into)
        {
            key = known_by;
            end = [](vk::belonging& one) noexcept {
                auto& self = static_cast<thing&>(one);
                CHECK_FALSE(self.is_linked());
                *self.said += self.key == self.said ? "a" : "b";
            };
        }
        std::string* said;
    };
    std::string said;
    process_by_hand on;
    semaphore gate;
    thing a(&said, &said);
    thing b(&gate, &said);
    on.start(take, &gate);
    CHECK(on.made.kept(&said) == nullptr);
    on.made.keep(a);
    on.made.keep(b);
    CHECK(on.made.kept(&said) == &a);
    CHECK(on.made.kept(&gate) == &b);
    CHECK(on.made.kept(&on) == nullptr);
    CHECK(on.dispatch() == outcome::blocked);
    CHECK(said.empty());
    gate.give();
    CHECK(on.dispatch() == outcome::ended);
    CHECK(said == "ba");
}
