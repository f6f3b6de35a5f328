#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/channel.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using vk::channel;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

using numbers = channel<int, 2>;

task<> put(numbers& to, int value)
{
    bool sent = co_await to.send(value);
    CHECK(sent);
}

task<> expect(numbers& from, std::optional<int> value)
{
    std::optional<int> got = co_await from.receive();
    CHECK(got == value);
}

task<> send_all(numbers* to, int from, int until, std::string* said)
{
    try {
        for (int i = from; i < until; ++i)
            if (!co_await to->send(i)) {
                *said += "closed ";
                co_return;
            }
        *said += "sent ";
    } catch (const vk::cancelled&) {
        *said += "! ";
    }
}

task<> receive_one(numbers* from, char who, std::string* said)
{
    try {
        std::optional<int> got = co_await from->receive();
        *said += who;
        *said += got ? std::to_string(*got) : "-";
        *said += ' ';
    } catch (const vk::cancelled&) {
        *said += "! ";
    }
}

} // namespace

TEST_CASE("values come out of a channel as they went in, and no more lie in it than it holds")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        thread_handle sender = spawn(send_all, &between, 0, 100, &said);
        co_await vk::yield();
        CHECK(between.size() == 2);
        for (int i = 0; i < 100; ++i) {
            CHECK(between.size() <= 2);
            co_await expect(between, i);
        }
        co_await sender.join();
        CHECK(said == "sent ");
        CHECK(between.size() == 0);
    });
}

TEST_CASE("who waits to receive is served in the order in which it came")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        spawn(receive_one, &between, 'a', &said).detach();
        spawn(receive_one, &between, 'b', &said).detach();
        co_await vk::yield();
        co_await put(between, 1);
        co_await put(between, 2);
        thread_handle late = spawn(receive_one, &between, 'c', &said);
        late.cancel(); // if it had to wait, which it does: what there is, is promised to the others
        co_await late.join();
        CHECK(said == "a1 b2 ! ");
    });
}

TEST_CASE("who waits to send is served in the order in which it came")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        co_await put(between, 0);
        co_await put(between, 1);
        thread_handle one = spawn(send_all, &between, 2, 3, &said);
        co_await vk::yield();
        co_await expect(between, 0);
        thread_handle other =
            spawn(send_all, &between, 3, 4, &said); // behind the one, who has not run yet
        co_await expect(between, 1);
        co_await expect(between, 2);
        co_await expect(between, 3);
        co_await one.join();
    });
}

TEST_CASE("a closed channel is received to its end, and takes nothing more")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        co_await put(between, 1);
        co_await put(between, 2);
        thread_handle sender = spawn(send_all, &between, 3, 4, &said);
        co_await vk::yield();
        between.close();
        CHECK(between.is_closed());
        bool sent = co_await between.send(5);
        CHECK_FALSE(sent);
        co_await sender.join();
        CHECK(said == "closed ");
        co_await expect(between, 1);
        co_await expect(between, 2);
        co_await expect(between, std::nullopt);
        co_await expect(between, std::nullopt);
    });
}

TEST_CASE(
    "who waits to receive learns that the channel is closed, after what was promised to others")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        spawn(receive_one, &between, 'a', &said).detach();
        thread_handle last = spawn(receive_one, &between, 'b', &said);
        co_await vk::yield();
        co_await put(between, 1);
        between.close();
        co_await last.join();
        CHECK(said == "a1 b- ");
    });
}

TEST_CASE("who is cancelled has sent nothing and received nothing")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        thread_handle receiver = spawn(receive_one, &between, 'a', &said);
        co_await vk::yield();
        receiver.cancel();
        co_await put(between, 0);
        co_await put(between, 1);
        co_await receiver.join();
        CHECK(said == "! ");
        thread_handle sender = spawn(send_all, &between, 2, 3, &said);
        co_await vk::yield();
        sender.cancel();
        co_await sender.join();
        CHECK(said == "! ! ");
        co_await expect(between, 0);
        co_await expect(between, 1);
        CHECK(between.size() == 0);
    });
}

TEST_CASE("who is cancelled after it was woken has done what it waited for")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        thread_handle receiver = spawn(receive_one, &between, 'a', &said);
        co_await vk::yield();
        co_await put(between, 7);
        receiver.cancel();
        co_await receiver.join();
        CHECK(said == "a7 ");
    });
}

TEST_CASE("who waits on a channel that goes is cancelled, and so is who was woken and has not run")
{
    run_local([]() -> task<> {
        std::string said;
        std::optional<numbers> between(std::in_place);
        thread_handle first = spawn(receive_one, &*between, 'a', &said);
        thread_handle second = spawn(receive_one, &*between, 'b', &said);
        co_await vk::yield();
        co_await put(*between, 1);
        between.reset();
        co_await first.join();
        co_await second.join();
        CHECK(said == "! ! ");
    });
}

TEST_CASE("a channel takes values that can only be moved, and ends those that are left in it")
{
    run_local([]() -> task<> {
        std::weak_ptr<int> seen;
        {
            channel<std::unique_ptr<std::shared_ptr<int>>, 1> between;
            auto one = std::make_shared<int>(5);
            seen = one;
            bool sent =
                co_await between.send(std::make_unique<std::shared_ptr<int>>(std::move(one)));
            CHECK(sent);
            auto got = co_await between.receive();
            REQUIRE(got);
            CHECK(***got == 5);
            sent = co_await between.send(std::move(*got));
            CHECK(sent);
        }
        CHECK(seen.expired());
    });
}

TEST_CASE("any schedule of senders and receivers moves each value once, in the order of its sender")
{
    run_local([]() -> task<> {
        struct party {
            static task<> send(numbers* to, int sender, int count, unsigned seed)
            {
                for (int i = 0; i < count; ++i) {
                    for (seed = seed * 1664525 + 1013904223; seed >> 30 == 0;
                         seed = seed * 1664525 + 1013904223)
                        co_await vk::yield();
                    (void)co_await to->send(sender * 1000 + i);
                }
            }
            static task<> receive(numbers* from, std::vector<int>* got, unsigned seed)
            {
                while (auto one = co_await from->receive()) {
                    got->push_back(*one);
                    for (seed = seed * 1664525 + 1013904223; seed >> 30 == 0;
                         seed = seed * 1664525 + 1013904223)
                        co_await vk::yield();
                }
            }
        };
        for (unsigned seed = 0; seed < 50; ++seed) {
            numbers between;
            std::vector<int> got[3];
            std::vector<thread_handle> senders;
            std::vector<thread_handle> receivers;
            for (int i = 0; i < 3; ++i) {
                senders.push_back(spawn(party::send, &between, i, 100, seed + unsigned(i)));
                receivers.push_back(
                    spawn(party::receive, &between, &got[i], seed * 7 + unsigned(i)));
            }
            for (auto& one : senders)
                co_await one.join();
            between.close();
            for (auto& one : receivers)
                co_await one.join();
            CHECK(got[0].size() + got[1].size() + got[2].size() == 300);
            for (auto& of_one : got) {
                int last[3] = {-1, -1, -1};
                for (int value : of_one) {
                    CHECK(value % 1000 > last[value / 1000]);
                    last[value / 1000] = value % 1000;
                }
            }
        }
    });
}

TEST_CASE("what was promised when a channel is closed is not taken by who comes later")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        thread_handle first = spawn(receive_one, &between, 'a', &said);
        co_await vk::yield();
        co_await put(between, 1);
        between.close();
        co_await receive_one(&between, 'b', &said);
        CHECK(said == "a1 b- ");
        CHECK(first.ended());
    });
}

TEST_CASE("who was promised room when a channel is closed sends nothing")
{
    run_local([]() -> task<> {
        numbers between;
        std::string said;
        co_await put(between, 0);
        co_await put(between, 1);
        thread_handle sender = spawn(send_all, &between, 2, 3, &said);
        co_await vk::yield();
        co_await expect(between, 0);
        between.close();
        co_await sender.join();
        CHECK(said == "closed ");
        co_await expect(between, 1);
        co_await expect(between, std::nullopt);
    });
}

TEST_CASE("who waits to send on a channel that goes is cancelled")
{
    run_local([]() -> task<> {
        std::string said;
        std::optional<numbers> between(std::in_place);
        thread_handle sender = spawn(send_all, &*between, 0, 3, &said);
        co_await vk::yield();
        between.reset();
        co_await sender.join();
        CHECK(said == "! ");
    });
}

TEST_CASE("who receives again comes after those who were given a value and have not run")
{
    run_local([]() -> task<> {
        struct receiver {
            static task<> run(channel<int, 4>* from, char who, std::string* order)
            {
                while (auto one = co_await from->receive())
                    *order += who + std::to_string(*one) + ' ';
            }
        };
        channel<int, 4> between;
        std::string order;
        thread_handle first = spawn(receiver::run, &between, 'a', &order);
        thread_handle second = spawn(receiver::run, &between, 'b', &order);
        co_await vk::yield();
        for (int i = 0; i < 4; ++i) {
            bool sent = co_await between.send(i);
            CHECK(sent);
        }
        CHECK(between.size() == 2); // the others have been given theirs
        co_await vk::yield();
        co_await vk::yield();
        CHECK(order == "a0 b1 a2 b3 ");
        between.close();
        co_await first.join();
        co_await second.join();
    });
}
