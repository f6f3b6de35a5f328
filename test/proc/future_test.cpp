#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/event.hpp>
#include <vk/proc/future.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using vk::future;
using vk::responder;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;

namespace {

using doubling = future<int, int>;

task<> answer(doubling* to, int times)
{
    responder from(*to);
    for (int i = 0; i < times; ++i) {
        auto one = co_await from.listen();
        one.respond(one.request() * 2);
    }
}

task<> ask(doubling* whom, int what, std::string* said)
{
    try {
        *said += std::to_string(co_await whom->request(what)) + ' ';
    } catch (const vk::cancelled&) {
        *said += "cancelled ";
    } catch (const vk::error& e) {
        *said += e.code() == std::errc::broken_pipe ? "nobody " : "error ";
    }
}

} // namespace

TEST_CASE("a request is answered by who listens, whichever comes first")
{
    run_local([]() -> task<> {
        doubling service;
        std::string said;
        thread_handle early = spawn(ask, &service, 1, &said);
        co_await vk::yield();
        spawn(answer, &service, 3).detach();
        co_await ask(&service, 2, &said);
        co_await ask(&service, 3, &said);
        CHECK(early.ended());
        CHECK(said == "2 4 6 ");
    });
}

TEST_CASE("requests of several are answered in the order in which they came, by several")
{
    run_local([]() -> task<> {
        doubling service;
        std::string said;
        spawn(answer, &service, 10).detach();
        spawn(answer, &service, 10).detach();
        co_await vk::yield();
        std::vector<thread_handle> asking;
        for (int i = 0; i < 20; ++i)
            asking.push_back(spawn(ask, &service, i, &said));
        for (thread_handle& one : asking)
            co_await one.join();
        std::string expected;
        for (int i = 0; i < 20; ++i)
            expected += std::to_string(2 * i) + ' ';
        CHECK(said == expected);
    });
}

TEST_CASE("who listens may hold a request and answer later ones before it")
{
    run_local([]() -> task<> {
        struct late {
            static task<> answer(doubling* to)
            {
                responder from(*to);
                auto first = co_await from.listen();
                auto second = co_await from.listen();
                second.respond(22);
                co_await vk::yield();
                CHECK(first.is_wanted());
                first.respond(11);
                CHECK_FALSE(first.is_wanted());
                first.respond(12); // passed over
            }
        };
        doubling service;
        std::string said;
        spawn(late::answer, &service).detach();
        spawn(ask, &service, 1, &said).detach();
        thread_handle second = spawn(ask, &service, 2, &said);
        co_await second.join();
        CHECK(said == "22 ");
        co_await vk::yield();
        co_await vk::yield();
        CHECK(said == "22 11 ");
    });
}

TEST_CASE("a service may ask itself")
{
    // The factorial of n is n times that of n - 1; each request is answered by a thread of its own.
    run_local([]() -> task<> {
        struct reentrant {
            static task<> finish(doubling* self, doubling::call one)
            {
                int n = one.request();
                int below = 1;
                if (n > 0)
                    below = co_await self->request(n - 1);
                one.respond(n > 0 ? n * below : 1);
            }
            static task<> answer(doubling* to)
            {
                responder from(*to);
                std::vector<thread_handle> finishing;
                for (int i = 0; i <= 5; ++i)
                    finishing.push_back(spawn(finish, to, co_await from.listen()));
                for (thread_handle& one : finishing)
                    co_await one.join();
            }
        };
        doubling factorial;
        spawn(reentrant::answer, &factorial).detach();
        int got = co_await factorial.request(5);
        CHECK(got == 120);
    });
}

TEST_CASE("a request that is dropped fails its requester, and so does a responder that fails")
{
    run_local([]() -> task<> {
        struct careless {
            static task<> drop(doubling* to)
            {
                responder from(*to);
                (void)co_await from.listen();
                co_await vk::yield();
            }
            static task<> fail(doubling* to)
            {
                responder from(*to);
                auto one = co_await from.listen();
                throw std::runtime_error("before the answer");
            }
        };
        doubling service;
        std::string said;
        thread_handle dropping = spawn(careless::drop, &service);
        co_await ask(&service, 1, &said);
        CHECK(said == "nobody ");
        co_await dropping.join();

        thread_handle failing = spawn(careless::fail, &service);
        co_await vk::yield();
        thread_handle queued = spawn(ask, &service, 2, &said); // it is not listened to
        co_await ask(&service, 1, &said);
        co_await queued.join();
        CHECK(said == "nobody nobody nobody ");
        bool failed = false;
        try {
            co_await failing.join();
        } catch (const std::runtime_error&) {
            failed = true;
        }
        CHECK(failed);
    });
}

TEST_CASE("when the last responder has gone a request fails at once, until there is another")
{
    run_local([]() -> task<> {
        doubling service;
        std::string said;
        thread_handle one = spawn(answer, &service, 0);
        co_await one.join();
        co_await ask(&service, 1, &said);
        CHECK(said == "nobody ");
        thread_handle other = spawn(answer, &service, 1);
        co_await vk::yield();
        co_await ask(&service, 1, &said);
        CHECK(said == "nobody 2 ");
    });
}

TEST_CASE("a requester that is cancelled withdraws its request, and its answer is passed over")
{
    run_local([]() -> task<> {
        doubling service;
        std::string said;
        thread_handle one = spawn(ask, &service, 1, &said);
        co_await vk::yield();
        one.cancel();
        co_await one.join();
        CHECK(said == "cancelled ");

        responder from(service);
        thread_handle other = spawn(ask, &service, 2, &said);
        auto held = co_await from.listen();
        CHECK(held.request() == 2);
        CHECK(held.is_wanted());
        other.cancel();
        CHECK_FALSE(held.is_wanted()); // though it has not run yet
        held.respond(4);
        co_await other.join();
        CHECK(said == "cancelled cancelled ");

        thread_handle last = spawn(ask, &service, 3, &said);
        auto of_last = co_await from.listen();
        last.cancel();
        co_await last.join();
        CHECK_FALSE(of_last.is_wanted());
        CHECK(of_last.request() == 3);
    });
}

TEST_CASE("what is sent is received once, and its sender goes on when it has been")
{
    run_local([]() -> task<> {
        using letters = future<std::unique_ptr<int>>;
        struct sender {
            static task<> run(letters* to, std::string* said)
            {
                co_await to->send(std::make_unique<int>(5));
                *said += "sent ";
            }
        };
        letters between;
        std::string said;
        thread_handle one = spawn(sender::run, &between, &said);
        co_await vk::yield();
        CHECK(said.empty());
        responder from(between);
        std::unique_ptr<int> got = co_await from.recv();
        CHECK(*got == 5);
        co_await one.join();
        CHECK(said == "sent ");
    });
}

TEST_CASE("who asks a future that goes is cancelled, and so is who listens to it")
{
    run_local([]() -> task<> {
        struct listener {
            static task<> run(doubling* to, std::string* said)
            {
                responder from(*to);
                try {
                    for (;;)
                        (void)co_await from.listen();
                } catch (const vk::cancelled&) {
                    *said += "orphaned ";
                }
            }
        };
        std::string said;
        std::optional<doubling> service(std::in_place);
        thread_handle one = spawn(ask, &*service, 1, &said);
        co_await vk::yield();
        service.reset();
        co_await one.join();
        CHECK(said == "cancelled ");

        service.emplace();
        thread_handle other = spawn(listener::run, &*service, &said);
        co_await vk::yield();
        service.reset();
        co_await other.join();
        CHECK(said == "cancelled orphaned ");

        service.emplace();
        thread_handle woken = spawn(listener::run, &*service, &said);
        co_await vk::yield();
        thread_handle asking = spawn(ask, &*service, 1, &said);
        struct end {
            static task<> run(std::optional<doubling>* of)
            {
                of->reset();
                co_return;
            }
        };
        thread_handle ending = spawn(end::run, &service);
        co_await asking.join();
        co_await woken.join();
        co_await ending.join();
        CHECK(said == "cancelled orphaned orphaned cancelled ");
    });
}

TEST_CASE("a request that is cancelled before it is made reaches nobody")
{
    run_local([]() -> task<> {
        doubling service;
        std::string said;
        thread_handle listening = spawn(answer, &service, 1);
        co_await vk::yield();
        thread_handle one = spawn(ask, &service, 1, &said);
        one.cancel(); // it has not begun
        co_await one.join();
        co_await vk::yield();
        CHECK_FALSE(listening.ended());
        co_await ask(&service, 2, &said);
        co_await listening.join();
        CHECK(said == "cancelled 4 ");
    });
}

TEST_CASE("what a sender that was cancelled has not handed over yet is received by nobody")
{
    run_local([]() -> task<> {
        using letters = future<int>;
        struct sender {
            static task<> run(letters* to, int what, std::string* said)
            {
                try {
                    co_await to->send(what);
                    *said += "sent ";
                } catch (const vk::cancelled&) {
                    *said += "cancelled ";
                }
            }
        };
        letters between;
        std::string said;
        thread_handle one = spawn(sender::run, &between, 1, &said);
        thread_handle other = spawn(sender::run, &between, 2, &said);
        co_await vk::yield();
        one.cancel();
        responder from(between);
        int got = co_await from.recv();
        CHECK(got == 2);
        co_await other.join();
        CHECK(said == "cancelled sent ");
    });
}

TEST_CASE("an answer that comes late wakes its requester from nothing else")
{
    run_local([]() -> task<> {
        struct stubborn {
            static task<> run(doubling* whom, vk::event* other, std::string* said)
            {
                auto asking = whom->request(1);
                try {
                    (void)co_await asking;
                } catch (const vk::cancelled&) {
                    *said += "cancelled ";
                }
                co_await other->wait();
                *said += "woken ";
            }
        };
        doubling service;
        vk::event other;
        std::string said;
        responder from(service);
        thread_handle one = spawn(stubborn::run, &service, &other, &said);
        auto held = co_await from.listen();
        one.cancel();
        co_await vk::yield();
        held.respond(2);
        co_await vk::yield();
        CHECK(said == "cancelled ");
        other.set();
        co_await one.join();
        CHECK(said == "cancelled woken ");
    });
}

TEST_CASE("who listens to a future that has gone is told so")
{
    run_local([]() -> task<> {
        std::optional<doubling> service(std::in_place);
        responder from(*service);
        service.reset();
        bool told = false;
        try {
            (void)co_await from.listen();
        } catch (const vk::cancelled&) {
            told = true;
        }
        CHECK(told);
    });
}

TEST_CASE("who was given a request that is withdrawn before it runs takes the next, or waits on")
{
    run_local([]() -> task<> {
        struct end {
            static task<> run(thread_handle* one)
            {
                one->cancel();
                co_return;
            }
        };
        doubling service;
        std::string said;
        thread_handle answering = spawn(answer, &service, 2);
        co_await vk::yield();
        thread_handle first = spawn(ask, &service, 1, &said); // wakes who listens
        spawn(end::run, &first).detach();                     // runs before that
        thread_handle second = spawn(ask, &service, 2, &said);
        co_await second.join();
        CHECK(said == "cancelled 4 ");

        co_await vk::yield(); // it listens again
        thread_handle third = spawn(ask, &service, 3, &said);
        spawn(end::run, &third).detach();
        co_await third.join();
        co_await vk::yield();
        CHECK_FALSE(answering.ended());
        co_await ask(&service, 4, &said);
        co_await answering.join();
        CHECK(said == "cancelled 4 cancelled 8 ");
    });
}

TEST_CASE("who listens while others were given requests and have not run comes after them")
{
    run_local([]() -> task<> {
        struct listener {
            static task<> run(doubling* to, char who, std::string* order)
            {
                responder from(*to);
                for (int i = 0; i < 2; ++i) {
                    auto one = co_await from.listen();
                    *order += who + std::to_string(one.request()) + ' ';
                    one.respond(0);
                }
            }
        };
        doubling service;
        std::string said;
        std::string order;
        spawn(listener::run, &service, 'a', &order).detach();
        spawn(listener::run, &service, 'b', &order).detach();
        co_await vk::yield();
        std::vector<thread_handle> asking;
        for (int i = 0; i < 4; ++i)
            asking.push_back(spawn(ask, &service, i, &said));
        for (thread_handle& one : asking)
            co_await one.join();
        CHECK(order == "a0 b1 a2 b3 ");
    });
}

TEST_CASE("a call that outlives its future and its requester is let go of without either")
{
    run_local([]() -> task<> {
        std::optional<doubling> service(std::in_place);
        std::string said;
        responder from(*service);
        thread_handle asking = spawn(ask, &*service, 1, &said);
        auto held = co_await from.listen();
        service.reset();
        CHECK_FALSE(held.is_wanted()); // though the requester has not run yet
        co_await asking.join();
        CHECK_FALSE(held.is_wanted());
        held.respond(2);
        CHECK(said == "cancelled ");
    });
}
