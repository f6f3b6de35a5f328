#include "service/server_process.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/yield.hpp>
#include <vk/service/server.hpp>
#include <vk/service/supervisor.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>

#include <unistd.h>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vk::supervisor;
using vk::task;
using vk::task_function;
using vk::test::connect_to;
using vk::test::ending;
using vk::test::in_child;
using vk::test::server_options_here;
using vk::test::server_process;

namespace {

// What a server and its tree share.
struct shared {
    int starts = 0;
};

task<> fail_once(shared& by)
{
    if (++by.starts == 1)
        vk::raise(EIO, "the first time");
    co_await vk::sleep_for(1h);
}

task<> fail_each_time()
{
    co_await vk::sleep_for(1ms);
    vk::raise(EIO, "each time");
}

task<> terminate_this()
{
    co_await vk::sleep_for(1ms);
    ::kill(::getpid(), SIGTERM);
    co_await vk::sleep_for(1h);
}

task<> tell_starts(vk::socket& io, shared& by)
{
    for (;;) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.print("{}\n", by.starts);
    }
}

} // namespace

TEST_CASE("a tree runs beside a server's connections, and ends with them")
{
    shared by;
    supervisor tree({}, {{.name = "once", .run = task_function<>(fail_once, by)}});
    vk::server_options options = server_options_here();
    options.supervisor = &tree;
    options.drain = 10s;
    server_process server(options, vk::service(tell_starts, by));
    REQUIRE(server.started());
    vk::test::unique_fd client = server.connect();
    std::string answer = "0\n";
    for (int turn = 0; turn < 1000 && answer != "2\n"; ++turn)
        answer = vk::test::ask(client, "how many\n");
    CHECK(answer == "2\n");
    auto before = std::chrono::steady_clock::now();
    ending ended = server.stop();
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(std::chrono::steady_clock::now() - before < 5s);
    CHECK_THAT(ended.said, ContainsSubstring("child once ended: failed: errno 5"));
}

TEST_CASE("a server whose tree gives up drains, and fails")
{
    supervisor tree({}, {{.name = "never", .run = fail_each_time}});
    vk::server_options options = server_options_here();
    options.supervisor = &tree;
    shared by;
    server_process server(options, vk::service(tell_starts, by));
    ending ended = server.wait();
    INFO(ended.text());
    CHECK(ended.exited_with(1));
    CHECK_THAT(ended.said,
               ContainsSubstring("child never ended, after 1 restarts in 5000 ms: giving up"));
}

TEST_CASE("a tree runs alone until it is told to end, or gives up")
{
    ending ended = in_child([] {
        supervisor tree({}, {{.name = "terminates", .run = terminate_this}});
        vk::server_options options = server_options_here();
        options.drain = 10s;
        return vk::supervise(tree, options);
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));

    ended = in_child([] {
        supervisor tree({}, {{.name = "never", .run = fail_each_time}});
        return vk::supervise(tree, server_options_here());
    });
    INFO(ended.text());
    CHECK(ended.exited_with(1));
}
