#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/io/pipeline.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>
#include <vk/service/connection.hpp>

#include <chrono>
#include <string>

#include <sys/socket.h>

using namespace std::chrono_literals;
using vk::task;

namespace {

task<> number(vk::socket& io)
{
    for (int n = 1; auto line = co_await io.readline(); ++n)
        co_await io.print("{} {}", n, *line);
}

task<> write_by_stages(vk::socket& io)
{
    vk::spawn_pipeline(io, number).detach();
    vk::spawn_pipeline(io, number).detach();
    co_await io.write("a\nb\n");
}

task<> fail_before_stages(vk::socket& io)
{
    vk::spawn_pipeline(io, number).detach();
    co_await io.write("lost\n");
    vk::raise(std::errc::io_error, "service");
}

task<> write_later(vk::socket* io)
{
    co_await vk::sleep_for(1ms);
    co_await io->write("later\n");
}

task<> leave_a_thread(vk::socket& io)
{
    vk::spawn(write_later, &io).detach();
    co_await io.write("now\n");
}

// What a client that has said all it has to say is answered.
std::string said_by(vk::service serve)
{
    vk::test::tcp_pair pair;
    ::shutdown(pair.far.get(), SHUT_WR);
    const vk::connection what(serve, 0s, vk::fd_kind::tcp); // nothing but its end ends it
    vk::test::run_process(what, pair.near.release());
    return vk::test::read_to_end(pair.far.get());
}

} // namespace

TEST_CASE(
    "what a service wrote passes its stages when it returns, and the connection ends behind it")
{
    CHECK(said_by(write_by_stages) == "1 1 a\n2 2 b\n");
}

TEST_CASE("a service that fails ends its stages, and nothing that it wrote passes them by")
{
    vk::test::quiet quiet;
    CHECK(said_by(fail_before_stages) == "1 lost\n");
}

TEST_CASE("a connection lasts as long as the threads that its service left")
{
    CHECK(said_by(leave_a_thread) == "now\nlater\n");
}
