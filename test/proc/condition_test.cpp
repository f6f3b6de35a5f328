#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/condition.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <optional>
#include <string>

using vk::condition;
using vk::mutex;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

struct shared {
    mutex alone;
    condition changed;
    int ready = 0;
    std::string said;
};

task<> wait_for_one(shared* with, char who)
{
    while (with->ready == 0)
        co_await with->changed.wait();
    --with->ready;
    with->said += who;
}

// Holds the mutex but for the wait.
task<> wait_locked(shared* with, char who)
{
    mutex::guard held = co_await with->alone.lock();
    try {
        while (with->ready == 0)
            co_await with->changed.wait(held);
        CHECK(held.owns());
        --with->ready;
        with->said += who;
        co_await vk::yield();
        with->said += who;
    } catch (const vk::cancelled&) {
        CHECK_FALSE(held.owns());
        with->said += '!';
    }
}

} // namespace

TEST_CASE("one that waits for a condition is told by each notification, who came first before")
{
    run_local([]() -> task<> {
        shared with;
        with.changed.notify_one(); // to nobody
        spawn(wait_for_one, &with, 'a').detach();
        thread_handle last = spawn(wait_for_one, &with, 'b');
        co_await vk::yield();
        with.ready = 2;
        with.changed.notify_one();
        co_await vk::yield();
        CHECK(with.said == "a");
        with.changed.notify_one();
        co_await last.join();
        CHECK(with.said == "ab");
    });
}

TEST_CASE("all that wait for a condition look again, and those who find nothing wait on")
{
    run_local([]() -> task<> {
        shared with;
        thread_handle first = spawn(wait_for_one, &with, 'a');
        thread_handle second = spawn(wait_for_one, &with, 'b');
        co_await vk::yield();
        with.ready = 1;
        with.changed.notify_all();
        co_await first.join();
        co_await vk::yield();
        CHECK(with.said == "a");
        CHECK_FALSE(second.ended());
        with.ready = 1;
        with.changed.notify_all();
        co_await second.join();
        CHECK(with.said == "ab");
    });
}

TEST_CASE(
    "a mutex is unlocked while its holder waits for a condition, and locked again when it is told")
{
    run_local([]() -> task<> {
        shared with;
        spawn(wait_locked, &with, 'a').detach();
        spawn(wait_locked, &with, 'b').detach();
        thread_handle last = spawn(wait_locked, &with, 'c');
        co_await vk::yield();
        mutex::guard held = co_await with.alone.lock(); // they have unlocked it
        with.ready = 3;
        with.changed.notify_all();
        co_await vk::yield();
        CHECK(with.said.empty()); // they wait for the mutex now
        held.unlock();
        co_await last.join();
        CHECK(with.said == "aabbcc");
        CHECK_FALSE(with.alone.is_locked());
    });
}

TEST_CASE(
    "a wait for a condition may be cancelled, and for the mutex after it; then nothing is held")
{
    run_local([]() -> task<> {
        shared with;
        thread_handle one = spawn(wait_locked, &with, 'a');
        thread_handle other = spawn(wait_locked, &with, 'b');
        co_await vk::yield();
        one.cancel();
        co_await one.join();
        CHECK(with.said == "!");
        CHECK_FALSE(with.alone.is_locked());

        mutex::guard held = with.alone.try_lock();
        with.ready = 1;
        with.changed.notify_one();
        co_await vk::yield();
        other.cancel(); // in the queue for the mutex
        held.unlock();
        CHECK_FALSE(with.alone.is_locked());
        co_await other.join();
        CHECK(with.said == "!!");
    });
}

TEST_CASE("who waits for a condition that goes is cancelled, be it told or not")
{
    struct lone {
        static task<> wait(shared* with, std::string* said)
        {
            mutex::guard held = co_await with->alone.lock();
            try {
                co_await with->changed.wait(held);
            } catch (const vk::cancelled&) {
                CHECK_FALSE(held.owns());
                *said += '!';
            }
        }
    };
    run_local([]() -> task<> {
        std::string said;
        for (bool told : {false, true}) {
            std::optional<shared> with(std::in_place);
            thread_handle one = spawn(lone::wait, &*with, &said);
            co_await vk::yield();
            if (told)
                with->changed.notify_one();
            with.reset();
            co_await one.join();
        }
        CHECK(said == "!!");
    });
}

TEST_CASE("who was told of a condition and is cancelled before it has the mutex leaves the word to "
          "another")
{
    run_local([]() -> task<> {
        shared with;
        thread_handle one = spawn(wait_locked, &with, 'a');
        thread_handle other = spawn(wait_locked, &with, 'b');
        co_await vk::yield();
        mutex::guard held = with.alone.try_lock();
        with.ready = 1;
        with.changed.notify_one();
        co_await vk::yield(); // it waits for the mutex
        one.cancel();
        co_await one.join();
        held.unlock();
        co_await other.join();
        CHECK(with.said == "!bb");
    });
}

namespace {

task<> wait_to_be_cancelled(mutex* alone, condition* changed, std::string* said)
{
    mutex::guard held = co_await alone->lock();
    try {
        co_await changed->wait(held);
    } catch (const vk::cancelled&) {
        CHECK_FALSE(held.owns());
        *said += '!';
    }
}

} // namespace

TEST_CASE("who waits for the mutex when its condition goes is cancelled when it has it, and leaves "
          "it to others")
{
    run_local([]() -> task<> {
        std::string said;
        mutex alone;
        std::optional<condition> changed(std::in_place);
        thread_handle one = spawn(wait_to_be_cancelled, &alone, &*changed, &said);
        co_await vk::yield();
        mutex::guard held = alone.try_lock();
        changed->notify_one();
        co_await vk::yield();
        changed.reset();
        CHECK(said.empty());
        held.unlock();
        co_await one.join();
        CHECK(said == "!");
        CHECK_FALSE(alone.is_locked());
    });
}

TEST_CASE("who was told of a condition waits in the mutex's queue alone when that goes after it")
{
    run_local([]() -> task<> {
        std::string said;
        std::optional<mutex> alone(std::in_place);
        std::optional<condition> changed(std::in_place);
        thread_handle waiting = spawn(wait_to_be_cancelled, &*alone, &*changed, &said);
        co_await vk::yield();
        mutex::guard held = alone->try_lock();
        changed->notify_one();
        co_await vk::yield(); // it waits for the mutex
        held.unlock();        // which it is given
        changed.reset();
        alone.reset();
        co_await waiting.join();
        CHECK(said == "!");
    });
}
