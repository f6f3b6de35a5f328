#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

// What kqueue tells beyond the contract of all drivers, and how it refuses.

using namespace std::chrono_literals;
using vk::task;
using vk::test::fd_program;
using vk::test::kernel_here;
using vk::test::socket_pair;
using vk::test::socket_program;

namespace {

struct stream {
    socket_pair fds;
    std::string sent;
    std::string got;
    bool ends = false;
};

// As much as was sent, and what comes then.
task<> read_all(vk::socket& io, stream& by)
{
    std::vector<char> piece(by.sent.size());
    std::size_t count = co_await io.read(std::span(piece));
    by.got.assign(piece.data(), count);
    io.set_timeout(by.ends ? 2s : 1ms);
    try {
        count = co_await io.read(std::span(piece.data(), 1));
        CHECK(count == 0);
        CHECK(by.ends);
    } catch (const vk::timed_out&) {
        CHECK_FALSE(by.ends);
    }
}

task<> send_all(int, stream& by)
{
    co_await vk::sleep_for(2ms); // the reader waits by then
    vk::test::write_all(by.fds.far.get(), by.sent);
    if (by.ends)
        ::shutdown(by.fds.far.get(), SHUT_WR);
}

// Reads that found nothing.
std::uint64_t failed_reads(stream& by)
{
    kernel_here here;
    socket_program<stream> reading(read_all, by);
    fd_program<stream> sending(send_all, by);
    REQUIRE(here->start(reading, by.fds.near.release()));
    REQUIRE(here->start(sending));
    here->run();
    CHECK(by.got == by.sent);
    return here->count().eagain;
}

} // namespace

TEST_CASE("bytes that an edge told of are followed by no read that finds nothing")
{
    stream few{{}, "abc", {}};
    CHECK(failed_reads(few) == 1); // the first, of which nobody had told anything
    stream many{{}, std::string(100'000, '.'), {}};
    CHECK(failed_reads(many) == 2); // more than can be told
}

TEST_CASE("an end behind bytes that an edge told of is found without a read")
{
    stream by{{}, "abc", {}, true};
    CHECK(failed_reads(by) == 1);
}

namespace {

struct broken {
    int reader = -1;
    int error = 0;
};

task<> write_to_broken_pipe(vk::socket& io, broken& by)
{
    io.set_timeout(2s);
    try {
        for (;;)
            co_await io.write(std::string_view("................"));
    } catch (const vk::error& e) {
        by.error = e.code().value();
    }
}

task<> break_pipe(int, broken& by)
{
    ::close(by.reader);
    co_return;
}

} // namespace

TEST_CASE(
    "who waits for room in a pipe that nobody reads is told, though the system refuses to watch it")
{
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0); // full before the other has its turn
    broken by{ends[0]};
    kernel_here here;
    socket_program<broken> writing(write_to_broken_pipe, by, vk::fd_kind::other);
    fd_program<broken> breaking(break_pipe, by);
    REQUIRE(here->start(writing, ends[1]));
    REQUIRE(here->start(breaking));
    here->run();
    CHECK(by.error == EPIPE);
    CHECK(here->count().waits < 100);
}
