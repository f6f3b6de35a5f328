#include "proc/process_by_hand.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/event.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/scope.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using vk::in_scope;
using vk::process;
using vk::run_local;
using vk::scope;
using vk::task;

namespace {

// Says how it ended.
task<> child(std::string* said, std::chrono::nanoseconds span, char name)
{
    try {
        co_await vk::sleep_for(span);
        *said += name;
    } catch (const vk::cancelled&) {
        *said += '!';
        *said += name;
        throw;
    } catch (const vk::timed_out&) {
        *said += '?';
        *said += name;
        throw;
    }
}

task<> fail_after(std::chrono::nanoseconds span, const char* why)
{
    co_await vk::sleep_for(span);
    throw std::runtime_error(why);
}

// Does not end when it is cancelled once.
task<> stubborn(std::string* said)
{
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        *said += "cancelled ";
    }
    co_await vk::sleep_for(1ms);
    *said += "ended ";
}

template <class What>
task<std::string> failure_of(What what)
{
    try {
        co_await what;
    } catch (const std::system_error& e) {
        co_return e.code().message();
    } catch (const std::exception& e) {
        co_return e.what();
    }
    co_return "";
}

} // namespace

TEST_CASE(
    "a scope ends when its body and all its children have ended, and gives what the body does")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        std::string said;
        int made = co_await in_scope(
            [](scope& all, std::string* to) -> task<int> {
                all.spawn(child, to, 2ms, 'b');
                all.spawn(child, to, 1ms, 'a');
                CHECK(all.children() == 2);
                co_await vk::yield();
                *to += "body ";
                co_return 4;
            },
            &said);
        CHECK(made == 4);
        CHECK(said == "body ab");
        CHECK(heap.pages_used() == before);
        CHECK(process::current().threads() == 1);
    });
}

TEST_CASE("a scope hands on what cannot be copied, and a reference as it is")
{
    run_local([]() -> task<> {
        int number = 3;
        auto moved = co_await in_scope(
            [](scope&, std::unique_ptr<int> value) -> task<std::unique_ptr<int>> {
                co_return value;
            },
            std::make_unique<int>(7));
        CHECK(*moved == 7);
        int& same =
            co_await in_scope([](scope&, int& value) -> task<int&> { co_return value; }, number);
        CHECK(&same == &number);
        co_await in_scope([](scope&) -> task<> { co_return; });
    });
}

TEST_CASE("a child that fails has the others and the body cancelled, and is what the scope throws")
{
    run_local([]() -> task<> {
        std::string said;
        std::string why = co_await failure_of(in_scope(
            [](scope& all, std::string* to) -> task<> {
                all.spawn(child, to, 1h, 'a');
                all.spawn(fail_after, 1ms, "broken");
                task<> long_body = child(to, 1h, 'b');
                co_await std::move(long_body);
            },
            &said));
        CHECK(why == "broken");
        CHECK((said == "!a!b" || said == "!b!a"));
        CHECK(process::current().threads() == 1);
        co_await vk::yield(); // and is not cancelled any more
        co_await vk::sleep_for(1us);
    });
}

TEST_CASE("a body that fails has the children cancelled, and is what the scope throws")
{
    run_local([]() -> task<> {
        std::string said;
        std::string why = co_await failure_of(in_scope(
            [](scope& all, std::string* to) -> task<> {
                all.spawn(child, to, 1h, 'a');
                co_await vk::yield();
                throw std::runtime_error("body");
            },
            &said));
        CHECK(why == "body");
        CHECK(said == "!a");
    });
}

TEST_CASE("a body that is not blocked when a child fails is not cancelled later, out of the scope")
{
    run_local([]() -> task<> {
        std::string why = co_await failure_of(in_scope([](scope& all) -> task<> {
            all.spawn(fail_after, 0ns, "early");
            co_await vk::yield(); // it runs meanwhile
        }));
        CHECK(why == "early");
        co_await vk::sleep_for(1us);
    });
}

TEST_CASE("the first failure is thrown, and those of children that were cancelled are logged")
{
    vk::test::quiet quiet;
    run_local([]() -> task<> {
        struct worse {
            static task<> run()
            {
                try {
                    co_await vk::sleep_for(1h);
                } catch (const vk::cancelled&) {
                    throw std::runtime_error("second");
                }
            }
        };
        std::string why = co_await failure_of(in_scope([](scope& all) -> task<> {
            all.spawn(worse::run);
            all.spawn(fail_after, 1ms, "first");
            co_return;
        }));
        CHECK(why == "first");
    });
}

TEST_CASE("a scope that cancels its children ends well, and waits for those that take their time")
{
    run_local([]() -> task<> {
        std::string said;
        co_await in_scope(
            [](scope& all, std::string* to) -> task<> {
                all.spawn(stubborn, to);
                all.spawn(child, to, 1h, 'a');
                co_await vk::yield();
                all.cancel();
                all.spawn(child, to, 1h, 'b'); // and those that come later end, too
            },
            &said);
        CHECK(said == "cancelled !a!bended ");
    });
}

TEST_CASE("who awaits a scope and is cancelled leaves no child behind")
{
    run_local([]() -> task<> {
        struct caller {
            static task<> run(std::string* to)
            {
                try {
                    co_await in_scope(
                        [](scope& all, std::string* said) -> task<> {
                            all.spawn(stubborn, said);
                            co_return;
                        },
                        to);
                } catch (const vk::cancelled&) {
                    *to += "scope";
                }
            }
        };
        std::string said;
        vk::thread_handle one = vk::spawn(caller::run, &said);
        co_await vk::sleep_for(1ms);
        one.cancel();
        co_await one.join();
        CHECK(said == "cancelled ended scope");
    });
}

TEST_CASE("children have the deadline of who awaits their scope")
{
    run_local([]() -> task<> {
        std::string said;
        auto before = vk::clock::now();
        std::string why =
            co_await failure_of(vk::timeout(2ms, in_scope(
                                                     [](scope& all, std::string* to) -> task<> {
                                                         all.spawn(child, to, 1h, 'a');
                                                         co_return;
                                                     },
                                                     &said)));
        CHECK(why == std::make_error_code(std::errc::timed_out).message());
        CHECK(said == "?a");
        CHECK(vk::clock::now() - before < 1min);
    });
}

TEST_CASE("scopes nest: what fails in the inner one ends the outer one by the same")
{
    run_local([]() -> task<> {
        struct inner {
            static task<> run(std::string* to)
            {
                co_await in_scope(
                    [](scope& all, std::string* said) -> task<> {
                        all.spawn(child, said, 1h, 'i');
                        all.spawn(fail_after, 1ms, "deep");
                        co_return;
                    },
                    to);
            }
        };
        std::string said;
        std::string why = co_await failure_of(in_scope(
            [](scope& all, std::string* to) -> task<> {
                all.spawn(inner::run, to);
                all.spawn(child, to, 1h, 'o');
                co_return;
            },
            &said));
        CHECK(why == "deep");
        CHECK(said == "!i!o");
    });
}

TEST_CASE("a child that finds no page is refused, and those that were started are seen to")
{
    vk::test::quiet quiet;
    run_local({.heap_pages = 8}, []() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        std::string said;
        std::string why = co_await failure_of(in_scope(
            [](scope& all, std::string* to) -> task<> {
                for (int i = 0; i < 20; ++i)
                    all.spawn(child, to, 1h, 'c');
                co_return;
            },
            &said));
        CHECK(why == std::make_error_code(std::errc::not_enough_memory).message());
        CHECK(heap.pages_used() == before);
    });
}

TEST_CASE("a process that is cancelled ends, with the scopes in it")
{
    vk::test::process_by_hand by_hand;
    std::string said;
    by_hand.start(
        [](std::string* to) -> task<> {
            co_await in_scope(
                [](scope& all, std::string* text) -> task<> {
                    all.spawn(child, text, 1h, 'a');
                    all.spawn(child, text, 1h, 'b');
                    co_await vk::sleep_for(1h);
                },
                to);
        },
        &said);
    REQUIRE(by_hand.dispatch() == vk::outcome::blocked);
    by_hand.made.cancel();
    vk::test::quiet quiet;
    CHECK(by_hand.dispatch() == vk::outcome::ended);
    CHECK(said == "!a!b");
}
