// A read and a timer that race for a connection, until the timer has won VK_RACES times: with bytes that come just then,
// often in the same turn. What must hold, on every driver:
//
// 1. No byte is lost, none is read twice.
// 2. Nothing is left of a race: no thread, no page of the heap, no block.

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/schedules.hpp"

#include <vk/io/socket.hpp>
#include <vk/proc/when_any.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace {

using vk::process;
using vk::task;
using vk::test::from_environment;

// What passes is the numbers from 0, eight bytes each, in lines of their own.
struct race {
    std::uint64_t wanted = 0; // races that the timer is to win
    std::uint64_t lost = 0;   // that it has won, and the read was cancelled
    std::uint64_t both = 0;   // where both were done in one turn
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    bool over = false;
    bool in_order = true;
    bool nothing_left = true;
};

// Is in no step with the reader: the pause between two numbers varies from none to a few turns.
task<> send_numbers(vk::socket& io, race& in)
{
    std::uint64_t state = 1;
    while (!in.over) {
        std::uint64_t number = in.sent++;
        char bytes[9];
        std::memcpy(bytes, &number, 8);
        bytes[8] = '\n';
        state = state * 6364136223846793005 + 1442695040888963407;
        std::size_t cut =
            (state >> 60) % 10; // a number may come in two pieces, a turn or more apart
        co_await io.write(std::string_view(bytes, cut));
        if (cut < 9) {
            co_await io.flush();
            co_await vk::sleep_for(std::chrono::nanoseconds((state >> 20) % 10'000));
            co_await io.write(std::string_view(bytes + cut, 9 - cut));
        }
        co_await io.flush();
        if ((state >> 40) % 4 != 0)
            co_await vk::sleep_for(std::chrono::nanoseconds((state >> 33) % 20'000));
    }
}

task<> race_once(vk::socket& io, race& in, std::chrono::nanoseconds patience)
{
    char bytes[9];
    auto won = co_await vk::when_any(io.read(std::span(bytes)), vk::sleep_for(patience));
    if (won.has<0>()) {
        std::size_t count = *won.get<0>();
        std::uint64_t number = 0;
        std::memcpy(&number, bytes, 8);
        in.in_order &= count == 9 && number == in.received && bytes[8] == '\n';
        ++in.received;
    } else {
        ++in.lost;
    }
    in.both += won.has<0>() && won.has<1>();
}

task<> receive_numbers(vk::socket& io, race& in)
{
    vk::heap& heap = process::current().heap();
    std::size_t pages = 0;
    for (std::uint64_t turn = 0; in.lost < in.wanted && in.in_order; ++turn) {
        task<> racing = race_once(io, in, std::chrono::nanoseconds(turn % 7 * 3'000));
        co_await std::move(racing);
        if (turn == 0)
            pages = heap.pages_used();
        in.nothing_left &= process::current().threads() == 1 && heap.pages_used() == pages;
    }
    in.over = true;
    char bytes[9];
    while (co_await io.read(std::span(bytes)) == 9) { // what was on its way
        std::uint64_t number = 0;
        std::memcpy(&number, bytes, 8);
        in.in_order &= number == in.received++;
    }
}

} // namespace

TEST_CASE("a read that loses against a timer, again and again, loses no byte and leaves nothing")
{
    race in;
    in.wanted = from_environment("VK_RACES", 2'000);
    vk::test::tcp_pair pair;
    ::fcntl(pair.far.get(), F_SETFL, O_NONBLOCK);
    vk::test::socket_program<race> sending(send_numbers, in, vk::fd_kind::tcp);
    vk::test::socket_program<race> receiving(receive_numbers, in, vk::fd_kind::tcp);
    {
        vk::test::kernel_here here;
        ::alarm(600);
        REQUIRE(here->start(receiving, pair.near.release()));
        REQUIRE(here->start(sending, pair.far.release()));
        here->run();
    }
    CHECK(in.in_order);
    CHECK(in.nothing_left);
    CHECK(in.lost >= in.wanted);
    CHECK(in.received == in.sent);
    CHECK(in.both > 0); // it was close
    WARN(in.lost << " reads were cancelled, " << in.both << " done with the timer, of "
                 << in.received << " numbers");
}
