// Traffic on the simulated operating system: connections between processes of one kernel that send and receive at
// random, on every driver, where the system does what it may. What must hold, whatever the schedule:
//
// 1. Each byte arrives, once and in order. Where connections break, what arrives is a beginning of what was sent.
// 2. Nobody waits for what has come: when nothing is left to happen, no process is left. (The simulated system ends the
//    test then, and says the seed.)
// 3. Nothing is left: no descriptor, no mapping.
//
// VK_SEED=N replays one schedule, VK_SCHEDULES=N runs as many, VK_POLLER names the driver. VK_SIM_TRACE=1 prints
// the calls.

#include "support/catch.hpp"
#include "support/isolation.hpp"
#include "support/pollers.hpp"
#include "support/program.hpp"
#include "support/schedules.hpp"
#include "support/sim/schedule.hpp"

#include <vk/base/error.hpp>
#include <vk/base/log.hpp>
#include <vk/io/socket.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/timers.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace {

using vk::fd_kind;
using vk::socket;
using vk::task;
using vk::sim::dice;
using vk::test::byte_at;

constexpr std::size_t piece_max = 1500;

// One end of a connection.
struct end {
    fd_kind kind{};
    dice roll{0};
    std::uint64_t seed_out = 0; // which bytes it sends
    std::uint64_t seed_in = 0;  // which it must receive
    std::size_t to_send = 0;
    std::size_t to_receive = 0; // at most; then it closes
    std::size_t to_come = 0;
    std::size_t received = 0;
    bool in_order = true;
    bool failed = false;
    std::optional<vk::thread_handle> sending;
    std::optional<vk::thread_handle> receiving;
};

std::size_t random_length(dice& roll)
{
    return 1 + roll.below(roll.chance(0.1) ? piece_max : 100);
}

task<> pause(dice& roll)
{
    if (roll.chance(0.2))
        co_await vk::yield();
    if (roll.chance(0.1))
        co_await vk::sleep_for(std::chrono::microseconds(roll.below(100)));
}

task<> send_all(socket* io, end* mine)
{
    std::array<char, piece_max> piece;
    for (std::size_t at = 0; at < mine->to_send;) {
        const std::size_t length = std::min(random_length(mine->roll), mine->to_send - at);
        for (std::size_t i = 0; i < length; ++i)
            piece[i] = byte_at(mine->seed_out, at + i);
        co_await io->write(std::string_view(piece.data(), length));
        at += length;
        if (mine->roll.chance(0.2))
            co_await io->flush();
        if (mine->roll.chance(0.1))
            co_await io->writable();
        task<> pausing = pause(mine->roll);
        co_await std::move(pausing);
    }
    co_await io->tx_close();
}

task<> receive_all(socket* io, end* mine)
{
    std::array<char, piece_max> piece;
    while (mine->received < mine->to_receive) {
        if (mine->roll.chance(0.1))
            co_await io->readable();
        if (mine->roll.chance(0.1))
            io->clear(); // an end is not forgotten
        const std::size_t length =
            std::min(random_length(mine->roll), mine->to_receive - mine->received);
        const std::size_t count = co_await io->read(std::span(piece.data(), length));
        for (std::size_t i = 0; i < count; ++i)
            mine->in_order &= piece[i] == byte_at(mine->seed_in, mine->received + i);
        mine->received += count;
        if (count < length && mine->received < mine->to_come)
            vk::raise(ECONNRESET, "read"); // an error may show as an end
        if (count < length)
            co_return;
        task<> pausing = pause(mine->roll);
        co_await std::move(pausing);
    }
}

// When one direction fails so does the other: two ends whose readers have failed would wait for room for ever.
task<> guard(task<> (*run)(socket*, end*), socket* io, end* mine)
{
    try {
        task<> running = run(io, mine);
        co_await std::move(running);
    } catch (const std::exception&) {
        mine->failed = true;
        for (auto* one : {&mine->sending, &mine->receiving})
            if (*one)
                (*one)->cancel();
    }
}

// Nothing is flushed behind it: output is closed in good order, or was given up.
task<> converse(int fd, end& mine)
{
    vk::descriptor at(fd, mine.kind);
    socket io(at, at);
    mine.sending.emplace(vk::spawn(guard, send_all, &io, &mine));
    mine.receiving.emplace(vk::spawn(guard, receive_all, &io, &mine));
    if (mine.failed)
        mine.receiving->cancel();
    co_await mine.sending->join();
    co_await mine.receiving->join();
    mine.sending.reset();
    mine.receiving.reset();
}

using converser = vk::test::fd_program<end>;

constexpr std::size_t no_limit = ~std::size_t{0};

struct connection {
    connection(std::uint64_t seed, fd_kind how, bool breaks)
        : kind(how), programs{converser(converse, ends[0]), converser(converse, ends[1])}
    {
        dice roll(seed);
        for (std::size_t i = 0; i < 2; ++i) {
            end& one = ends[i];
            one.kind = how;
            one.roll = dice(roll.next());
            one.seed_out = seed + i;
            one.seed_in = seed + 1 - i;
            one.to_send = roll.below(roll.chance(0.1) ? 6'000 : 400);
            one.to_receive = no_limit;
        }
        for (std::size_t i = 0; i < 2; ++i)
            ends[i].to_come = ends[1 - i].to_send;
        // One end at most, or both would wait for room.
        if (breaks && roll.chance(0.3))
            ends[0].to_receive = roll.below(300);
    }

    void start(vk::kernel& on, vk::sim::world& in)
    {
        const auto fds = in.connect_pair(kind == fd_kind::tcp ? AF_INET : AF_UNIX);
        for (std::size_t i = 0; i < 2; ++i)
            REQUIRE(on.start(programs[i], fds[i]));
    }

    // What `which` has received is what the other has sent, or the beginning of it.
    bool is_right(std::size_t which, bool breaks) const
    {
        const end& one = ends[which];
        const std::size_t sent = ends[1 - which].to_send;
        return one.in_order && (breaks || !one.failed) &&
               (breaks ? one.received <= sent : one.received == sent);
    }

    fd_kind kind;
    end ends[2];
    converser programs[2];
};

// One schedule. Each fourth is one in which calls fail for good, and connections break.
class schedule {
public:
    schedule(const std::string& poller, std::uint64_t seed)
        : roll_(seed), breaks_(seed % 4 == 0), world_(vk::sim::rude_system(seed, roll_))
    {
        options_.poller = poller;
        options_.heap_pages = 16;
        options_.pool = options_.processes_max = 8;
    }

    void run()
    {
        (void)vk::os::ignore_sigpipe(); // as a server does
        {
            vk::kernel::pointer kernel = vk::kernel::make(options_);
            for (std::uint64_t i = 1 + roll_.below(4); i > 0; --i) {
                const fd_kind kind = roll_.chance(0.7) ? fd_kind::tcp : fd_kind::unix_socket;
                all_.emplace_back(roll_.next(), kind, breaks_).start(*kernel, world_);
            }
            if (breaks_)
                world_.set_fault_rate(0.01);
            kernel->run();
            failed_ = kernel->count().processes_failed;
            world_.set_fault_rate(0);
        }
        world_.settle();
    }

    std::string problems() const
    {
        std::string found;
        for (const connection& one : all_)
            for (std::size_t i = 0; i < 2; ++i)
                if (!one.is_right(i, breaks_))
                    found += fmt::format("end {} of a {} connection received {} bytes of {}{}\n", i,
                                         one.kind == fd_kind::tcp ? "tcp" : "unix",
                                         one.ends[i].received, one.ends[1 - i].to_send,
                                         one.ends[i].in_order ? "" : ", others than were sent");
        if (failed_ != 0 && !breaks_)
            found += fmt::format("{} processes failed\n", failed_);
        found += vk::sim::left_behind(world_);
        return found.empty() ? found : found + world_.trace(100);
    }

private:
    dice roll_;
    bool breaks_;
    vk::sim::world world_;
    vk::kernel_options options_ = vk::test::kernel_options_here();
    std::deque<connection> all_;
    std::uint64_t failed_ = 0;
};

} // namespace

TEST_CASE(
    "bytes arrive, once and in order, and nobody waits for what has come, whatever the system does")
{
    vk::log::set_level(vk::log::level::error); // what fails here is meant to
    const vk::test::schedules wanted(10'000);
    for (const std::string& poller : vk::test::wanted_pollers()) {
        for (std::uint64_t seed = wanted.first; seed <= wanted.last; ++seed) {
            INFO(poller << ", VK_SEED=" << seed);
            schedule one(poller, seed);
            one.run();
            CHECK(one.problems() == "");
        }
    }
}
