// A read and a timer that race for a connection, on the simulated operating system and every driver: one process sends a
// known stream at random times, another one reads it by nothing but races, so that bytes come often in the turn in which
// the timer is due. What must hold, whatever the schedule:
//
// 1. Each byte is read, once and in order. A read that has lost has taken none.
// 2. What has won has its result; nobody waits for ever. (The simulated system ends the test then, and says the seed.)
// 3. Nothing is left of a race: no thread, no page of the heap; and at the end no block, no descriptor, no mapping.
//
// VK_SEED=N replays one schedule, VK_SCHEDULES=N runs as many, VK_POLLER names the driver. VK_SIM_TRACE=1 prints
// the calls.

#include "support/catch.hpp"
#include "support/isolation.hpp"
#include "support/pollers.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"
#include "support/schedules.hpp"
#include "support/sim/schedule.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/timeout.hpp>
#include <vk/proc/when_any.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

namespace {

using vk::socket;
using vk::task;
using vk::sim::dice;

constexpr std::size_t piece_max = 6'000;

// Of the stream `seed`, in lines, the byte `at`.
char line_byte_at(std::uint64_t seed, std::size_t at)
{
    const char made = vk::test::byte_at(seed, at);
    return made % 16 == 0 ? '\n' : made;
}

struct race {
    dice sender{0};
    dice reader{0};
    std::uint64_t seed = 0;
    std::size_t to_send = 0;
    std::size_t received = 0;
    std::size_t lost = 0; // races that no byte has won
    std::size_t both = 0; // where both were done in one turn
    int sockets = 0;
    std::string problem; // the first
    vk::fd_kind kind{};

    void check(bool right, const char* what)
    {
        if (!right && problem.empty())
            problem = fmt::format("{} at byte {} of {}\n", what, received, to_send);
    }

    // Reads have given `bytes`.
    void receive(std::string_view bytes)
    {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            check(bytes[i] == line_byte_at(seed, received + i), "other bytes than were sent");
        received += bytes.size();
    }
};

std::chrono::nanoseconds random_span(dice& roll)
{
    constexpr std::array<std::uint64_t, 4> most{500, 5'000, 25'000, 60'000};
    return std::chrono::nanoseconds(roll.below(most[roll.below(most.size())]));
}

std::size_t random_length(dice& roll)
{
    return 1 + roll.below(roll.chance(0.05) ? piece_max : 40);
}

// --- who sends

task<> send_all(socket& io, race& in)
{
    std::array<char, piece_max> piece;
    for (std::size_t at = 0; at < in.to_send;) {
        const std::size_t length = std::min(random_length(in.sender), in.to_send - at);
        for (std::size_t i = 0; i < length; ++i)
            piece[i] = line_byte_at(in.seed, at + i);
        co_await io.write(std::string_view(piece.data(), length));
        at += length;
        if (in.sender.chance(0.5))
            co_await io.flush();
        if (in.sender.chance(0.7))
            co_await vk::sleep_for(random_span(in.sender));
    }
    co_await io.tx_close();
}

// --- who reads: each race returns whether the stream goes on

// What came of a race of `what` and a timer: nothing where it has lost.
template <class What>
task<std::optional<vk::awaited_t<What>>> race_of(race* in, What what)
{
    std::optional<vk::awaited_t<What>> won;
    if (in->reader.chance(0.3)) {
        try {
            won.emplace(co_await vk::timeout(random_span(in->reader), std::move(what)));
        } catch (const vk::timed_out&) {
            ++in->lost;
        }
        co_return won;
    }
    auto all = co_await vk::when_any(std::move(what), vk::sleep_for(random_span(in->reader)));
    in->both += all.template has<0>() && all.template has<1>();
    in->lost += !all.template has<0>();
    in->check(all.first() == 0 ? all.template has<0>() : all.template has<1>(),
              "what was first has no result");
    if (all.template has<0>())
        won.emplace(*all.template get<0>());
    co_return won;
}

task<bool> race_read(socket* io, race* in)
{
    std::array<char, piece_max> piece;
    const std::size_t length = random_length(in->reader);
    auto racing = race_of(in, io->read(std::span(piece.data(), length)));
    const auto count = co_await std::move(racing);
    if (!count)
        co_return true;
    in->receive({piece.data(), *count});
    in->check(*count == length || in->received == in->to_send, "a read is short");
    co_return *count == length;
}

task<bool> race_line(socket* io, race* in)
{
    auto racing = race_of(in, io->readline());
    const auto line = co_await std::move(racing);
    if (!line)
        co_return true;
    if (!*line)
        co_return false;
    const std::string_view text = **line;
    in->receive(text);
    in->check(!text.empty() && text.find('\n') >= text.size() - 1, "a line is none");
    in->check(text.ends_with('\n') || in->received == in->to_send, "a line is cut");
    co_return true;
}

// What is there is read without a wait.
task<bool> race_poll(socket* io, race* in)
{
    auto racing = race_of(in, io->poll_read());
    const auto there = co_await std::move(racing);
    if (!there)
        co_return true;
    std::array<char, piece_max> piece;
    const std::size_t length = std::min<std::size_t>(*there, random_length(in->reader));
    const std::size_t count = co_await io->read(std::span(piece.data(), length));
    in->check(count == length, "a read of what is there is short");
    in->receive({piece.data(), count});
    co_return *there > 0;
}

task<bool> race_look(socket* io, race* in)
{
    const std::size_t length = 1 + in->reader.below(60);
    auto racing = race_of(in, io->look(length));
    const auto view = co_await std::move(racing);
    if (!view)
        co_return true;
    in->check(view->size() >= length || in->received + view->size() == in->to_send,
              "a look is short");
    const bool ended = view->empty();
    const std::size_t some = in->reader.below(view->size() + 1);
    in->receive(io->take(some));
    co_return !ended;
}

// A race that is itself cancelled by another thread.
task<> race_in_thread(socket* io, race* in, bool* goes_on)
{
    constexpr std::array races{race_read, race_line, race_poll, race_look};
    task<bool> racing = races[in->reader.below(races.size())](io, in);
    *goes_on = co_await std::move(racing);
}

task<bool> race_cancelled(socket* io, race* in)
{
    bool goes_on = true;
    {
        vk::thread_handle racing = vk::spawn(race_in_thread, io, in, &goes_on);
        co_await vk::sleep_for(random_span(in->reader));
        racing.cancel();
        try {
            co_await racing.join();
        } catch (const vk::cancelled&) {
            ++in->lost;
        }
    }
    co_return goes_on;
}

task<> receive_all(socket& io, race& in)
{
    constexpr std::array races{race_read, race_read, race_line,
                               race_poll, race_look, race_cancelled};
    const vk::process& here = vk::process::current();
    for (bool goes_on = true; goes_on && in.problem.empty();) {
        const std::size_t threads = here.threads();
        task<bool> racing = races[in.reader.below(races.size())](&io, &in);
        goes_on = co_await std::move(racing);
        in.check(here.threads() == threads && threads == 1, "a thread is left");
    }
}

// --- a process of either

task<> converse(task<> (*run)(socket&, race&), int fd, race* in)
{
    vk::process& here = vk::process::current();
    const std::size_t pages = here.heap().pages_used();
    ++in->sockets;
    {
        vk::descriptor at(fd, in->kind);
        socket io(at, at);
        task<> running = run(io, *in);
        co_await std::move(running);
    }
    in->check(here.heap().pages_used() == pages, "pages of the heap are left");
    if (--in->sockets == 0)
        in->check(here.shared().blocks.lent() == 0, "blocks are left");
}

task<> be_sender(int fd, race& in)
{
    return converse(send_all, fd, &in);
}

task<> be_reader(int fd, race& in)
{
    return converse(receive_all, fd, &in);
}

// Where calls cost nothing what is due at one time happens in one turn.
vk::sim::options system_of(std::uint64_t seed, dice& roll)
{
    const bool near = roll.chance(0.5);
    const bool steady = roll.chance(0.5);
    const bool quick = roll.chance(0.5);
    vk::sim::options made = vk::sim::rude_system(seed, roll);
    made.latency_ns = near ? 1'000 : 20'000;
    made.jitter_ns = steady ? 0 : 5'000;
    made.call_ns = quick ? 20 : 200;
    return made;
}

class schedule {
public:
    schedule(const std::string& poller, std::uint64_t seed)
        : roll_(seed), world_(system_of(seed, roll_))
    {
        options_.poller = poller;
        options_.heap_pages = 32;
        options_.pool = options_.processes_max = 4;
        in_.sender = dice(roll_.next());
        in_.reader = dice(roll_.next());
        in_.seed = seed;
        in_.to_send = roll_.below(roll_.chance(0.05) ? 9'000 : 200);
        in_.kind = roll_.chance(0.7) ? vk::fd_kind::tcp : vk::fd_kind::unix_socket;
    }

    void run()
    {
        (void)vk::os::ignore_sigpipe(); // as a server does
        {
            const vk::test::fd_program<race> sending(be_sender, in_);
            const vk::test::fd_program<race> reading(be_reader, in_);
            vk::kernel::pointer kernel = vk::kernel::make(options_);
            const bool tcp = in_.kind == vk::fd_kind::tcp;
            const auto fds = world_.connect_pair(tcp ? AF_INET : AF_UNIX);
            REQUIRE(kernel->start(sending, fds[0]));
            REQUIRE(kernel->start(reading, fds[1]));
            kernel->run();
            in_.check(kernel->count().processes_failed == 0, "a process has failed");
        }
        world_.settle();
    }

    std::string problems() const
    {
        std::string found = in_.problem;
        if (in_.received != in_.to_send)
            found += fmt::format("{} bytes of {} were read\n", in_.received, in_.to_send);
        found += vk::sim::left_behind(world_);
        return found.empty() ? found : found + world_.trace(100);
    }

    const race& in() const noexcept { return in_; }

private:
    dice roll_;
    vk::sim::world world_;
    vk::kernel_options options_ = vk::test::kernel_options_here();
    race in_;
};

} // namespace

TEST_CASE("reads that race with timers read each byte once and in order, and leave nothing, "
          "whatever the system does")
{
    const vk::test::quiet quiet;
    const vk::test::schedules wanted(2'000);
    for (const std::string& poller : vk::test::wanted_pollers()) {
        std::size_t lost = 0;
        std::size_t both = 0;
        for (std::uint64_t seed = wanted.first; seed <= wanted.last; ++seed) {
            schedule one(poller, seed);
            one.run();
            lost += one.in().lost;
            both += one.in().both;
            if (const std::string found = one.problems(); !found.empty())
                FAIL_CHECK(poller << ", VK_SEED=" << seed << ":\n" << found);
        }
        if (wanted.last - wanted.first > 100) {
            CHECK(lost > 0);
            CHECK(both > 0); // it was close
        }
        WARN(poller << ": " << lost << " races were lost, in " << both << " both were done");
    }
}
