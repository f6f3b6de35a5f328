// What io_uring does now and then, and a driver must live with: each case is made to happen, on the simulated operating
// system, and nobody is harmed by it.

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/sim/sim.hpp"

#include <vk/vk.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

using namespace std::chrono_literals;

namespace vk {

namespace {

using sim::client;
using sim::happening;
using problems = std::vector<std::string>;

task<> echo(socket& io)
{
    while (auto line = co_await io.readline())
        co_await io.write(*line);
}

// Behind the first line nothing is read for a while, though it is received.
task<> echo_late(socket& io)
{
    auto first = co_await io.readline();
    co_await io.write(*first);
    co_await sleep_for(50ms);
    task<> answering = echo(io);
    co_await std::move(answering);
}

std::string lines(std::string_view name, std::size_t count)
{
    std::string all;
    for (std::size_t n = 0; n < count; ++n)
        all += fmt::format("{} says {}\n", name, n);
    return all;
}

// A server and its clients, each of which wants to have back what it sends.
class scene {
public:
    explicit scene(const char* poller, const sim::options& how = {}) : in{how}
    {
        log::set_level(log::level::error);
        options_.poller = poller;
        options_.listen = "127.0.0.1:8080";
        options_.heap_pages = 16;
        options_.connections_max = 32;
        options_.announce = false;
    }

    client& add(std::string name) { return *clients.emplace_back(&in.add_client(std::move(name))); }

    template <class Service>
    void serve(Service what)
    {
        in.terminate_when_done();
        CHECK(vk::serve(options_, what) == 0);
        in.settle();
    }

    // Whoever did not get back the beginning of what it sent, of a length it asked for.
    problems look(std::size_t bytes = std::string::npos) const
    {
        problems found = in.complaints();
        for (const client* one : clients)
            if (!one->completed() || one->received() != one->sent().substr(0, bytes))
                found.push_back(fmt::format("{} received {} bytes of {}", one->name(),
                                            one->received().size(), one->sent().size()));
        if (in.open_fds() != 0)
            found.push_back("descriptors are left open");
        return found;
    }

    sim::world in;
    std::vector<client*> clients;

private:
    server_options options_;
};

void add_talkers(scene& to, std::size_t count, std::size_t window = 4096)
{
    for (std::size_t n = 0; n < count; ++n) {
        const std::string name = fmt::format("client {}", n);
        to.add(name)
            .window(window)
            .connect()
            .send_random(lines(name, 20), 20us)
            .half_close()
            .receive_end();
    }
}

// Clients whose bytes come one at a time, each into a buffer of its own, while they are not read.
void add_unread(scene& to, std::size_t count, std::size_t bytes, std::chrono::nanoseconds apart)
{
    for (std::size_t n = 0; n < count; ++n)
        to.add(fmt::format("client {}", n))
            .connect()
            .after(100us)
            .send("go\n")
            .after(100us)
            .send_cut(std::string(bytes - 1, 'x') + '\n', 1, apart)
            .half_close()
            .receive_end();
}

// Nobody is harmed, and it has happened.
void check_talk(const char* poller, const sim::options& how, happening what)
{
    std::size_t times = 0;
    for (const std::uint64_t seed : sim::seeds(50)) {
        INFO(poller << ", VK_SEED=" << seed);
        sim::options seeded = how;
        seeded.seed = seed;
        scene one{poller, seeded};
        add_talkers(one, 8, 64);
        one.serve(echo);
        INFO(one.in.trace(60));
        CHECK(one.look() == problems{});
        times += one.in.happened(what);
    }
    INFO(poller);
    CHECK(times > 50);
}

// A connection between two processes of a kernel: one asks, the other answers and is gone, while its driver still
// receives.
struct talk {
    std::string question = {};
    std::string answer = {};
    bool ended = false;
};

task<> ask(int fd, talk& its)
{
    descriptor at(fd, fd_kind::tcp);
    socket io(at, at);
    co_await io.write(its.question);
    while (auto line = co_await io.readline())
        its.answer += *line;
    its.ended = true;
}

task<> answer(int fd, talk&)
{
    descriptor at(fd, fd_kind::tcp);
    socket io(at, at);
    auto line = co_await io.readline();
    co_await io.write(*line);
    co_await io.flush();
    io.set_timeout(5us);
    try {
        (void)co_await io.readline();
    } catch (const timed_out&) {
        // Its process ends, and so the kernel closes the descriptor.
    }
}

task<> stay(int, talk&)
{
    for (int n = 0; n < 200; ++n)
        co_await sleep_for(5us); // what is begun meanwhile is seen
}

class talks {
public:
    using program = test::fd_program<talk>;

    talks(const char* poller, const sim::options& how) : in_{how}
    {
        (void)os::ignore_sigpipe();
        kernel_options options = test::kernel_options_here();
        options.isolation = isolation::none;
        options.poller = poller;
        kernel_ = kernel::make(options);
        start(stay, all_.emplace_back(), -1);
    }

    void begin_at(std::chrono::nanoseconds when)
    {
        in_.at(when, [this] {
            talk& its = all_.emplace_back();
            its.question = fmt::format("question {}\n", all_.size());
            const auto fds = in_.connect_pair(AF_INET);
            start(ask, its, fds[0]);
            start(answer, its, fds[1]);
            highest_fd_ = std::max({highest_fd_, fds[0], fds[1]});
        });
    }

    void run()
    {
        kernel_->run();
        INFO(in_.trace(80));
        for (const talk& one : all_)
            CHECK((one.answer == one.question && (one.ended || one.question.empty())));
        kernel_.reset();
        CHECK(in_.complaints() == problems{});
        CHECK(in_.open_fds() == 0);
    }

    int highest_fd() const noexcept { return highest_fd_; }

private:
    void start(program::function what, talk& its, int fd)
    {
        REQUIRE(kernel_->start(programs_.emplace_back(what, its), fd));
    }

    sim::world in_;
    std::deque<talk> all_;
    std::deque<program> programs_;
    kernel::pointer kernel_;
    int highest_fd_ = 0;
};

constexpr const char* both[] = {"uring", "uring-poll"};

} // namespace

TEST_CASE("completions that do not fit are not lost")
{
    sim::options how;
    how.completions_max = 2;
    how.noise.late_wake = 0.5; // much comes at once
    how.noise.short_io = 0.5;  // what was not sent completes
    check_talk("uring", how, happening::overflow);
    how.completions_max = 4;
    how.noise.deferred = 0.5;
    check_talk("uring-poll", how, happening::overflow);
}

TEST_CASE("what goes on and ends early begins again")
{
    sim::options how;
    how.noise.early_end = 0.5;
    for (const char* poller : both)
        check_talk(poller, how, happening::early_end);
}

TEST_CASE("connections that are not read take all buffers, and all is received all the same")
{
    scene one{"uring"};
    add_unread(one, 24, 80, 15us);
    one.serve(echo_late);
    INFO(one.in.trace(60));
    CHECK(one.look() == problems{});
    CHECK(one.in.happened(happening::starved) > 0);
}

TEST_CASE("a receive that finds no buffer is tried again")
{
    for (std::size_t nth = 0; nth < 20; ++nth) {
        INFO("receive " << nth);
        scene one{"uring"};
        one.in.fail_nth(sim::call::uring_receive, nth, ENOBUFS);
        add_talkers(one, 2);
        one.serve(echo);
        CHECK(one.look() == problems{});
        CHECK(one.in.faults() == 1);
    }
}

TEST_CASE("a receive that is to be cancelled, and has ended, is begun again when it was read")
{
    std::size_t lost = 0;
    for (const std::uint64_t seed : sim::seeds(150)) {
        INFO("VK_SEED=" << seed);
        sim::options how;
        how.seed = seed;
        how.noise.deferred = 0.8;
        scene one{"uring", how};
        add_unread(one, 1, 400, 400ns + seed % 50 * 20ns); // so many that it is told to stop
        one.serve(echo_late);
        INFO(one.in.trace(60));
        CHECK(one.look() == problems{});
        lost += one.in.happened(happening::lost_race);
    }
    CHECK(lost > 10);
}

TEST_CASE("a connection that is closed with operations under way is closed for its peer")
{
    for (const char* poller : both) {
        INFO(poller);
        talks all{poller, {}};
        all.begin_at(0us);
        all.run();
    }
}

TEST_CASE("a descriptor that is used again at once has nothing of the connection before")
{
    for (const char* poller : both) {
        for (const std::uint64_t seed : sim::seeds(200)) {
            INFO(poller << ", VK_SEED=" << seed);
            sim::options how;
            how.seed = seed;
            how.noise.deferred = 0.8;
            talks all{poller, how};
            for (int n = 0; n < 20; ++n)
                all.begin_at(n * 9us);
            all.run();
            CHECK(all.highest_fd() < 20); // of forty
        }
    }
}

} // namespace vk
