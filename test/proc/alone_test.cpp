#include "proc/semaphore.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/alone.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <string>

using vk::process;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::semaphore;

namespace {

task<> take(semaphore* from, std::string* said)
{
    try {
        co_await from->take();
        *said += "taken ";
    } catch (const vk::cancelled&) {
        *said += "cancelled ";
    }
}

task<> wait_alone(std::string* said)
{
    try {
        co_await vk::alone();
        *said += "alone ";
    } catch (const vk::cancelled&) {
        *said += "not alone ";
    }
}

} // namespace

TEST_CASE("a thread that has no others is alone at once")
{
    run_local([]() -> task<> {
        CHECK(process::current().threads() == 1);
        co_await vk::alone();
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE("a thread is alone when the last other one has ended, not before")
{
    run_local([]() -> task<> {
        struct giver {
            static task<> run(semaphore* first, semaphore* second, std::string* said)
            {
                first->give();
                co_await vk::yield();
                co_await vk::yield();
                CHECK(*said == "taken ");
                second->give();
            }
        };
        semaphore first;
        semaphore second;
        std::string said;
        spawn(take, &first, &said).detach();
        spawn(take, &second, &said).detach();
        spawn(giver::run, &first, &second, &said).detach();
        CHECK(process::current().threads() == 4);
        co_await wait_alone(&said);
        CHECK(said == "taken taken alone ");
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE("waiting to be alone ends early by cancellation")
{
    run_local([]() -> task<> {
        semaphore gate;
        std::string said;
        thread_handle other = spawn(take, &gate, &said);
        thread_handle waiting = spawn(wait_alone, &said);
        co_await vk::yield();
        waiting.cancel();
        co_await waiting.join();
        CHECK(said == "not alone ");
        gate.give();
        co_await other.join();
    });
}

TEST_CASE("cancelling the others spares the one that asks for it")
{
    run_local([]() -> task<> {
        semaphore gate(1);
        semaphore never;
        std::string said;
        spawn(take, &never, &said).detach();
        spawn(take, &never, &said).detach();
        co_await vk::yield();
        process::current().cancel_others(vk::thread::current());
        co_await vk::alone();
        CHECK(said == "cancelled cancelled ");
        co_await vk::sleep_for(std::chrono::milliseconds(1)); // it was not cancelled itself
        CHECK(gate.count() == 1);
    });
}
