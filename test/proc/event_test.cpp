#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/event.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <optional>
#include <string>

using vk::event;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

task<> pass(event* through, char who, std::string* said)
{
    try {
        co_await through->wait();
        *said += who;
    } catch (const vk::cancelled&) {
        *said += '!';
    }
}

} // namespace

TEST_CASE("an event lets all pass who wait for it, in order, and who comes later")
{
    run_local([]() -> task<> {
        event gate;
        std::string said;
        spawn(pass, &gate, 'a', &said).detach();
        thread_handle last = spawn(pass, &gate, 'b', &said);
        co_await vk::yield();
        CHECK(said.empty());
        gate.set();
        CHECK(gate.is_set());
        co_await pass(&gate, 'c', &said); // at once
        CHECK(said == "c");
        co_await last.join();
        CHECK(said == "cab");
    });
}

TEST_CASE("an event that is reset lets nobody pass but who waited when it was set")
{
    run_local([]() -> task<> {
        event gate(true);
        std::string said;
        co_await pass(&gate, 'a', &said);
        gate.reset();
        thread_handle one = spawn(pass, &gate, 'b', &said);
        co_await vk::yield();
        gate.set();
        gate.reset();
        thread_handle other = spawn(pass, &gate, 'c', &said);
        co_await one.join();
        co_await vk::yield();
        CHECK(said == "ab");
        gate.set();
        co_await other.join();
        CHECK(said == "abc");
    });
}

TEST_CASE("who waits for an event that goes is cancelled, and so is who was woken and has not run")
{
    run_local([]() -> task<> {
        std::optional<event> gate(std::in_place);
        std::string said;
        thread_handle waiting = spawn(pass, &*gate, 'a', &said);
        co_await vk::yield();
        gate.reset();
        co_await waiting.join();
        CHECK(said == "!");

        gate.emplace();
        thread_handle woken = spawn(pass, &*gate, 'a', &said);
        co_await vk::yield();
        gate->set();
        gate.reset();
        co_await woken.join();
        CHECK(said == "!!");
    });
}

TEST_CASE("a wait for an event may be cancelled")
{
    run_local([]() -> task<> {
        event gate;
        std::string said;
        thread_handle one = spawn(pass, &gate, 'a', &said);
        co_await vk::yield();
        one.cancel();
        gate.set();
        co_await one.join();
        CHECK(said == "!");
    });
}

TEST_CASE("who has left an event before it goes is not cancelled with those who were woken")
{
    run_local([]() -> task<> {
        struct passing {
            static task<> twice(event* first, event* second, std::string* said)
            {
                co_await first->wait();
                co_await vk::yield(); // in the run queue when the event goes
                co_await second->wait();
                *said += 'p';
            }
        };
        std::optional<event> gate(std::in_place);
        event open(true);
        std::string said;
        thread_handle left = spawn(passing::twice, &*gate, &open, &said);
        co_await vk::yield();
        gate->set();
        co_await vk::yield();
        gate->reset();
        thread_handle woken = spawn(pass, &*gate, 'a', &said);
        thread_handle late = spawn(pass, &*gate, 'b', &said);
        thread_handle other = spawn(passing::twice, &open, &open, &said);
        co_await vk::yield(); // those wait, and the first has ended
        gate->set();
        late.cancel(); // though it was woken
        gate.reset();
        co_await woken.join();
        co_await late.join();
        co_await left.join();
        co_await other.join();
        CHECK(said == "pp!!");
    });
}
