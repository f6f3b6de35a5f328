#include "support/catch.hpp"

#include <vk/proc/run_local.hpp>
#include <vk/service/service.hpp>

#include <string>
#include <type_traits>

using vk::service;
using vk::task;

namespace {

task<> greet(vk::socket& io)
{
    co_await io.write("hello\n");
}

struct names {
    std::string name;
    int served = 0;
};

task<> greet_by_name(vk::socket& io, names& who)
{
    ++who.served;
    co_await io.print("hello {}\n", who.name);
}

task<> count_constant(vk::socket& io, const int& number)
{
    co_await io.print("{}\n", number);
}

// What a service says to a client.
std::string said_by(const service& what)
{
    std::string said;
    vk::run_local(
        [](const service& what, std::string& said) -> task<> {
            vk::socket client;
            vk::socket server;
            bind(client, server);
            task<> serving = what(server);
            co_await std::move(serving);
            auto line = co_await client.readline();
            said = line ? std::string(*line) : "nothing";
        },
        what, said);
    return said;
}

static_assert(std::is_nothrow_copy_constructible_v<service>);
static_assert(std::is_convertible_v<task<> (*)(vk::socket&), service>);
static_assert(!std::is_convertible_v<int, service>);

} // namespace

TEST_CASE("a function is a service, and so is a lambda that captures nothing")
{
    CHECK(said_by(greet) == "hello\n");
    CHECK(said_by([](vk::socket& io) -> task<> { co_await io.write("from a lambda\n"); }) ==
          "from a lambda\n");
}

TEST_CASE("a service with a message hands the same one to each connection")
{
    names who{"you", 0};
    service what(greet_by_name, who);
    CHECK(said_by(what) == "hello you\n");
    who.name = "all";
    service copy = what;
    CHECK(said_by(copy) == "hello all\n");
    CHECK(who.served == 2);
}

TEST_CASE("a message may be constant")
{
    const int number = 42;
    CHECK(said_by(service(count_constant, number)) == "42\n");
}
