#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/pollers.hpp"
#include "support/program.hpp"
#include "support/schedules.hpp"
#include "support/sim/dice.hpp"

#include <vk/io/socket.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/timers.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

// Connections between processes of one kernel that send and receive at random, in both directions at once: each byte
// arrives, once and in order, and nobody waits for what has come. On every driver; VK_SEED=N replays one schedule,
// VK_SCHEDULES=N runs as many.

namespace {

using vk::fd_kind;
using vk::socket;
using vk::task;
using vk::sim::dice;
using vk::test::byte_at;

// One end of a connection.
struct end {
    dice roll{0};
    std::uint64_t seed_out = 0; // which bytes it sends
    std::uint64_t seed_in = 0;  // which it must receive
    std::size_t to_send = 0;
    std::size_t received = 0;
    bool in_order = true;
};

std::size_t random_length(dice& roll)
{
    return 1 + roll.below(roll.chance(0.1) ? 40'000 : 600);
}

task<> pause(dice& roll)
{
    if (roll.chance(0.2))
        co_await vk::yield();
    if (roll.chance(0.02))
        co_await vk::sleep_for(std::chrono::microseconds(roll.below(300)));
}

task<> send_all(socket* io, end* mine)
{
    std::array<char, 40'000> piece;
    for (std::size_t at = 0; at < mine->to_send;) {
        std::size_t length = std::min(random_length(mine->roll), mine->to_send - at);
        for (std::size_t i = 0; i < length; ++i)
            piece[i] = byte_at(mine->seed_out, at + i);
        co_await io->write(std::string_view(piece.data(), length));
        at += length;
        if (mine->roll.chance(0.2))
            co_await io->flush();
        task<> pausing = pause(mine->roll);
        co_await std::move(pausing);
    }
    co_await io->tx_close();
}

task<> receive_all(socket* io, end* mine)
{
    std::array<char, 40'000> piece;
    for (;;) {
        if (mine->roll.chance(0.1))
            io->clear(); // an end is not forgotten
        std::size_t length = random_length(mine->roll);
        std::size_t count = co_await io->read(std::span(piece.data(), length));
        for (std::size_t i = 0; i < count; ++i)
            mine->in_order &= piece[i] == byte_at(mine->seed_in, mine->received + i);
        mine->received += count;
        if (count < length)
            co_return;
        task<> pausing = pause(mine->roll);
        co_await std::move(pausing);
    }
}

task<> converse(socket& io, end& mine)
{
    vk::thread_handle sending = vk::spawn(send_all, &io, &mine);
    task<> receiving = receive_all(&io, &mine);
    co_await std::move(receiving);
    co_await sending.join();
}

using converser = vk::test::socket_program<end>;

struct connection {
    connection(std::uint64_t seed, bool tcp)
        : kind(tcp ? fd_kind::tcp : fd_kind::unix_socket),
          programs{converser(converse, ends[0], kind), converser(converse, ends[1], kind)}
    {
        dice roll(seed);
        for (std::size_t i = 0; i < 2; ++i) {
            ends[i].roll = dice(roll.next());
            ends[i].seed_out = seed + i;
            ends[i].seed_in = seed + 1 - i;
            ends[i].to_send = roll.below(roll.chance(0.2) ? 300'000 : 3'000);
        }
        small = roll.chance(0.5);
    }

    void start(vk::kernel& on)
    {
        auto pair = kind == fd_kind::tcp ? vk::test::connection_pair(vk::test::tcp_pair())
                                         : vk::test::connection_pair(vk::test::socket_pair());
        ::fcntl(pair.far.get(), F_SETFL, O_NONBLOCK);
        const int bytes = 4096;
        for (int fd : {pair.near.get(), pair.far.get()})
            if (small)
                ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
        REQUIRE(on.start(programs[0], pair.near.release()));
        REQUIRE(on.start(programs[1], pair.far.release()));
    }

    fd_kind kind;
    bool small = false; // the system keeps little of what is on its way
    end ends[2];
    converser programs[2];
};

void run_schedule(const std::string& poller, std::uint64_t seed)
{
    INFO(poller << ", VK_SEED=" << seed);
    dice roll(seed);
    vk::kernel_options options = vk::test::kernel_options_here();
    options.poller = poller;
    options.heap_pages = 64;
    vk::test::kernel_here here(options);
    std::vector<std::unique_ptr<connection>> all;
    for (std::uint64_t i = 1 + roll.below(8); i > 0; --i) {
        all.push_back(std::make_unique<connection>(roll.next(), roll.chance(0.7)));
        all.back()->start(*here);
    }
    here->run();
    for (const auto& one : all) {
        INFO((one->kind == fd_kind::tcp ? "tcp" : "unix") << (one->small ? ", small" : ""));
        for (std::size_t i = 0; i < 2; ++i) {
            CHECK(one->ends[i].received == one->ends[1 - i].to_send);
            CHECK(one->ends[i].in_order);
        }
    }
    CHECK(here->count().processes_failed == 0);
}

} // namespace

TEST_CASE("bytes arrive, once and in order, however they are sent and received", "[traffic]")
{
    const vk::test::schedules wanted(100);
    for (const std::string& poller : vk::test::pollers())
        for (std::uint64_t seed = wanted.first; seed <= wanted.last; ++seed)
            run_schedule(poller, seed);
}
