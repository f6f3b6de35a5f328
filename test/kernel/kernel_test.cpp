#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/base/os.hpp>
#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/poller/poller.hpp>
#include <vk/kernel/start.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

using namespace std::chrono_literals;
using vk::counters;
using vk::kernel_options;
using vk::process;
using vk::spawn;
using vk::task;
using vk::test::fd_program;
using vk::test::kernel_here;
using vk::test::kernel_options_here;
using vk::test::socket_pair;
using vk::test::socket_program;
using vk::test::tcp_pair;

namespace {

struct seen {
    int started = 0;
    int ended = 0;
    std::string said;
    std::chrono::nanoseconds span{0};
    int far = -1; // the other end of what it reads
};

task<> run_and_end(int, seen& by)
{
    ++by.started;
    co_await vk::yield();
    ++by.ended;
}

task<> sleep_then_say(int fd, seen& by)
{
    co_await vk::sleep_for(by.span);
    by.said += "slept ";
    ++by.ended;
    static_cast<void>(fd);
}

} // namespace

// --- life ----------------------------------------------------------------------------------------------

TEST_CASE("a kernel runs its processes to their end, and then ends itself")
{
    seen by;
    fd_program<seen> what(run_and_end, by);
    kernel_here here;
    here->run(); // there is nothing to do
    for (int i = 0; i < 3; ++i)
        REQUIRE(here->start(what));
    CHECK(by.started == 0);
    CHECK(here->processes() == 3);
    here->run();
    CHECK(by.ended == 3);
    CHECK(here->processes() == 0);
    CHECK(here->count().processes_started == 3);
    CHECK(here->count().processes_ended == 3);
    CHECK(here->count().processes_failed == 0);

    REQUIRE(here->start(what)); // it can be run again
    here->run();
    CHECK(by.ended == 4);
}

TEST_CASE("processes have numbers of their own, and heaps of their own")
{
    struct place {
        std::uint64_t id;
        const std::byte* heap;
    };
    struct finder {
        static task<> run(int, std::vector<place>& all)
        {
            process& self = process::current();
            all.push_back({self.id(), self.heap().base()});
            co_await vk::sleep_for(1ms);
            CHECK(&process::current() == &self);
        }
    };
    std::vector<place> all;
    all.reserve(4);
    fd_program<std::vector<place>> what(finder::run, all);
    kernel_here here;
    here->start(what);
    here->start(what);
    here->run();
    REQUIRE(all.size() == 2);
    CHECK(all[0].id != all[1].id);
    CHECK(all[0].heap != all[1].heap);
}

TEST_CASE("the fds of a process are closed when it ends, those that were lent are not")
{
    socket_pair owned;
    socket_pair lent;
    seen by;
    fd_program<seen> what(run_and_end, by);
    std::size_t before = vk::test::open_fds();
    {
        kernel_here here;
        REQUIRE(here->start(what, owned.near.release()));
        here->lend(lent.near.get());
        here->run();
    }
    CHECK(vk::test::open_fds() == before - 1);
    CHECK(vk::test::read_to_end(owned.far.get()).empty()); // it was closed
    CHECK(::write(lent.near.get(), "x", 1) == 1);
}

TEST_CASE("a thousand processes, one after another, use one heap and leave nothing")
{
    kernel_options options = kernel_options_here();
    options.pool = 1;
    std::size_t fds = vk::test::open_fds();
    {
        seen by;
        fd_program<seen> what(run_and_end, by);
        kernel_here here(options);
        for (int i = 0; i < 1000; ++i) {
            socket_pair pair;
            REQUIRE(here->start(what, pair.near.release()));
            here->run();
        }
        CHECK(by.ended == 1000);
        CHECK(here->count().heap_overflows == 0);
        CHECK(here->count().heap_pages_high_water == 1);
    }
    CHECK(vk::test::open_fds() == fds);
}

TEST_CASE("processes beyond the pool get a mapping each, which a counter says")
{
    kernel_options options = kernel_options_here();
    options.pool = 2;
    seen by;
    fd_program<seen> what(run_and_end, by);
    kernel_here here(options);
    for (int i = 0; i < 5; ++i)
        REQUIRE(here->start(what));
    here->run();
    CHECK(by.ended == 5);
    CHECK(here->count().heap_overflows == 3);
}

TEST_CASE("a table that is full takes no process, and the fd is closed all the same")
{
    kernel_options options = kernel_options_here();
    options.processes_max = 4;
    seen by;
    fd_program<seen> what(run_and_end, by);
    kernel_here here(options);
    int started = 0;
    while (here->start(what) && started < 1000)
        ++started;
    CHECK(started >= 4);
    CHECK(started < 1000);
    socket_pair fds;
    CHECK_FALSE(here->start(what, fds.near.release()));
    CHECK(vk::test::read_to_end(fds.far.get()).empty());
    here->run();
    CHECK(by.ended == started);
    CHECK(here->start(what)); // there is room again
    here->run();
}

TEST_CASE("a process that cannot be made ends at once, and is counted")
{
    vk::test::quiet quiet;
    struct large {
        static task<> run(int, seen& by)
        {
            volatile char much[128 * 1024] = {};
            ++by.started;
            co_await vk::yield();
            by.started += much[0];
        }
    };
    seen by;
    fd_program<seen> too_large(large::run, by);
    fd_program<seen> what(run_and_end, by);
    socket_pair fds;
    kernel_here here;
    REQUIRE(here->start(too_large, fds.near.release()));
    REQUIRE(here->start(what));
    here->run();
    CHECK(by.started == 1); // the other one
    CHECK(by.ended == 1);
    CHECK(here->count().processes_failed == 1);
    CHECK(here->count().processes_ended == 2);
    CHECK(vk::test::read_to_end(fds.far.get()).empty());
}

TEST_CASE("an exception ends its process, and no other")
{
    vk::test::quiet quiet;
    struct failing {
        static task<> run(int, seen& by)
        {
            ++by.started;
            co_await vk::sleep_for(1ms);
            throw std::runtime_error("on purpose");
        }
    };
    seen by;
    seen other;
    other.span = 3ms;
    fd_program<seen> fails(failing::run, by);
    fd_program<seen> sleeps(sleep_then_say, other);
    kernel_here here;
    here->start(fails);
    here->start(sleeps);
    here->start(fails);
    here->run();
    CHECK(other.said == "slept ");
    CHECK(here->count().processes_failed == 2);
    CHECK(here->count().processes_ended == 3);
}

TEST_CASE("a kernel that cannot be made says why")
{
    std::size_t fds = vk::test::open_fds();
    kernel_options options = kernel_options_here();
    options.heap_pages = 0;
    CHECK_THROWS_AS(vk::kernel::make(options), vk::error);
    options = kernel_options_here();
    options.poller = "carrier pigeon";
    CHECK_THROWS_WITH(vk::kernel::make(options),
                      Catch::Matchers::ContainsSubstring("carrier pigeon"));
    options = kernel_options_here();
    options.heap_pages = std::size_t{1} << 29;
    options.processes_max = 10'000;
    CHECK_THROWS_AS(vk::kernel::make(options), vk::error); // 20 PiB
    CHECK(vk::test::open_fds() == fds);
}

TEST_CASE("a limit on the global heap is an error where the program counts nothing")
{
    kernel_options options = kernel_options_here();
    options.global_bytes_max = 1 << 20;
    try {
        (void)vk::kernel::make(options);
        FAIL("a limit was promised that nothing keeps");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::not_supported);
    }
}

TEST_CASE("the driver is the option's, else that of VK_POLLER, else epoll")
{
    vk::test::ending ended = vk::test::in_child([] {
        kernel_options options = kernel_options_here();
        ::setenv("VK_POLLER", "poll", 1);
        bool by_environment = vk::kernel::make(options)->poller_name() == "poll";
        options.poller = "epoll";
        bool by_option = vk::kernel::make(options)->poller_name() == "epoll";
        options.poller = "";
        ::unsetenv("VK_POLLER");
        bool otherwise = vk::kernel::make(options)->poller_name() == "epoll";
        return by_environment && by_option && otherwise ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}

TEST_CASE("the driver auto is the fastest that isolation allows")
{
    kernel_options options = kernel_options_here();
    options.poller = "auto";
    options.isolation = vk::isolation::process;
    CHECK(vk::kernel::make(options)->poller_name() == "epoll");
    options.isolation = vk::isolation::none;
    options.poller =
        vk::is_poller("uring") ? "uring" : "epoll"; // which is epoll where the system forbids it
    std::string fastest(vk::kernel::make(options)->poller_name());
    options.poller = "auto";
    CHECK(vk::kernel::make(options)->poller_name() == fastest);
}

TEST_CASE("the counters are left before each wait where somebody wants them")
{
    struct watched {
        counters left;
        std::vector<std::uint64_t> dispatches;
    };
    struct waiting {
        static task<> run(int, watched& by)
        {
            for (int i = 0; i < 3; ++i) {
                co_await vk::sleep_for(1ms);
                by.dispatches.push_back(by.left.dispatches);
            }
        }
    };
    watched by;
    by.dispatches.reserve(3);
    fd_program<watched> what(waiting::run, by);
    kernel_options options = kernel_options_here();
    options.counted = &by.left;
    kernel_here here(options);
    REQUIRE(here->start(what));
    here->run();
    CHECK(by.dispatches == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(by.left.processes_started == 1);
}

// --- time ----------------------------------------------------------------------------------------------

TEST_CASE("sleeping processes wake in the order of their deadlines, and no tick wakes the kernel")
{
    struct sleeper {
        static task<> run(int, std::string& said)
        {
            // The spans differ by the order of starting.
            static const std::chrono::milliseconds spans[] = {30ms, 10ms, 20ms};
            auto mine = (process::current().id() - 1) % 3;
            co_await vk::sleep_for(spans[mine]);
            said += std::to_string(mine);
        }
    };
    std::string said;
    fd_program<std::string> what(sleeper::run, said);
    kernel_here here;
    for (int i = 0; i < 3; ++i)
        here->start(what);
    auto before = vk::clock::now();
    here->run();
    CHECK(said == "120");
    CHECK(vk::clock::now() - before >= 30ms);
    CHECK(here->count().waits <= 8);
    CHECK(here->count().dispatches <= 8);
}

TEST_CASE("a deadline that moves ahead does not wake its process early")
{
    struct server {
        static task<> run(vk::socket& io, seen& by)
        {
            io.set_timeout(60ms);
            try {
                for (;;) {
                    auto line = co_await io.readline();
                    if (!line)
                        break;
                    ++by.started;
                }
            } catch (const vk::timed_out&) {
                by.said = "late";
            }
        }
    };
    struct client {
        static task<> run(vk::socket& io, seen&)
        {
            for (int i = 0; i < 5; ++i) {
                co_await vk::sleep_for(15ms);
                co_await io.write("x\n");
            }
            char byte;
            std::size_t count = co_await io.read(std::span(&byte, 1));
            CHECK(count == 0);
        }
    };
    seen by;
    socket_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    socket_program<seen> serving(server::run, by);
    socket_program<seen> asking(client::run, by);
    kernel_here here;
    here->start(serving, fds.near.release());
    here->start(asking, fds.far.release());
    auto before = vk::clock::now();
    here->run();
    CHECK(by.started == 5);
    CHECK(by.said == "late");
    CHECK(vk::clock::now() - before >= 135ms);
}

// --- fairness ------------------------------------------------------------------------------------------

TEST_CASE("a process that never blocks keeps no other from running")
{
    struct busy {
        static task<> run(int, seen& by)
        {
            while (by.ended == 0) {
                ++by.started;
                co_await vk::yield();
            }
        }
    };
    seen by;
    by.span = 5ms;
    fd_program<seen> spinning(busy::run, by);
    fd_program<seen> sleeping(sleep_then_say, by);
    kernel_here here;
    here->start(spinning);
    here->start(sleeping);
    here->run();
    CHECK(by.said == "slept ");
    CHECK(by.started > 0);
}

TEST_CASE("who has spent its budget runs behind those whose bytes have come meanwhile")
{
    struct meeting {
        int to_reader;
        std::uint32_t resumed = 0; // of the greedy process
        std::uint32_t at_reading = 0;
    };
    struct greedy {
        static task<> run(int, meeting& of)
        {
            co_await vk::sleep_for(1ms); // the reader waits by then
            CHECK(::send(of.to_reader, "\n", 1, 0) == 1);
            for (; of.resumed < 4 * vk::limits::dispatch_resumes_max; ++of.resumed)
                co_await vk::yield();
        }
    };
    struct reader {
        static task<> run(vk::socket& io, meeting& of)
        {
            co_await io.readline();
            of.at_reading = of.resumed;
        }
    };
    socket_pair fds;
    meeting of{fds.far.get()};
    socket_program<meeting> reading(reader::run, of);
    fd_program<meeting> running(greedy::run, of);
    kernel_here here;
    here->start(running);
    here->start(reading, fds.near.release());
    here->run();
    CHECK(of.resumed == 4 * vk::limits::dispatch_resumes_max);
    CHECK(of.at_reading > 0);
    CHECK(of.at_reading <= vk::limits::dispatch_resumes_max);
}

TEST_CASE("a client that sends without end keeps no other from being served")
{
    struct flood {
        static task<> run(vk::socket& io, seen& by)
        {
            std::string much(100'000, 'x');
            try {
                while (by.ended == 0)
                    co_await io.write(much);
            } catch (const vk::error&) {
            }
            throw vk::error(EPIPE, "enough");
        }
    };
    struct sink {
        static task<> run(vk::socket& io, seen& by)
        {
            std::string much(100'000, ' ');
            while (by.ended == 0) {
                std::size_t count = co_await io.read(std::span(much));
                by.started += count > 0;
                if (count < much.size())
                    break;
            }
        }
    };
    seen by;
    by.span = 20ms;
    socket_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    socket_program<seen> flooding(flood::run, by);
    socket_program<seen> sinking(sink::run, by);
    fd_program<seen> sleeping(sleep_then_say, by);
    kernel_here here;
    here->start(flooding, fds.near.release());
    here->start(sinking, fds.far.release());
    here->start(sleeping);
    auto before = vk::clock::now();
    here->run();
    CHECK(by.said == "slept ");
    CHECK(by.started > 0);
    CHECK(vk::clock::now() - before < 5s);
}

// --- descriptors ---------------------------------------------------------------------------------------

namespace {

task<> listen_for_a_moment(int fd)
{
    vk::descriptor at(fd, vk::fd_kind::unix_socket);
    vk::socket io(at, at);
    io.set_timeout(1ms);
    try {
        auto line = co_await io.readline();
        CHECK_FALSE(line);
    } catch (const vk::timed_out&) {
    }
}

// Where the frame with the descriptor was.
task<> keep_a_pattern(int& spoilt)
{
    volatile unsigned char pattern[2048];
    for (volatile unsigned char& byte : pattern)
        byte = 0xa5;
    co_await vk::sleep_for(5ms);
    for (volatile unsigned char& byte : pattern)
        spoilt += byte != 0xa5;
}

task<> use_and_drop(int fd, int& spoilt)
{
    co_await listen_for_a_moment(fd);
    co_await keep_a_pattern(spoilt);
}

} // namespace

TEST_CASE("readiness of an fd whose descriptor is gone changes nothing in its process")
{
    vk::test::ending ended = vk::test::in_child([] {
        struct client {
            static task<> run(vk::socket& io, int&)
            {
                co_await vk::sleep_for(3ms);
                co_await io.write("anybody there?");
            }
        };
        int spoilt = 0;
        socket_pair fds;
        ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
        fd_program<int> using_it(use_and_drop, spoilt);
        socket_program<int> asking(client::run, spoilt);
        kernel_here here;
        here->start(using_it, fds.near.release());
        here->start(asking, fds.far.release());
        here->run();
        return spoilt;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}

// --- starting from a process ---------------------------------------------------------------------------

namespace {

struct family {
    const vk::program* child = nullptr;
    int count = 0;
    seen children;
    std::size_t vacancies = 99;
    bool waited = false;
};

task<> start_children(int, family& all)
{
    for (int i = 0; i < all.count; ++i)
        co_await vk::start(*all.child, -1);
}

} // namespace

TEST_CASE("a process has the kernel start others, on the connections that it hands over")
{
    struct parent {
        static task<> run(int fd, family& all) { co_await vk::start(*all.child, fd); }
    };
    struct child {
        static task<> run(vk::socket& io, seen& by)
        {
            ++by.started;
            co_await io.write("from the child");
        }
    };
    family all;
    socket_program<seen> children(child::run, all.children);
    all.child = &children;
    socket_pair fds;
    // The parent does not own the fd: it gives away the test's.
    struct giver {
        static task<> run(int, std::pair<family*, int>& what)
        {
            co_await parent::run(what.second, *what.first);
        }
    };
    std::pair<family*, int> what(&all, fds.near.release());
    fd_program<std::pair<family*, int>> giving(giver::run, what);
    kernel_here here;
    here->start(giving);
    here->run();
    CHECK(all.children.started == 1);
    CHECK(here->count().processes_started == 2);
    CHECK(vk::test::read_to_end(fds.far.get()) == "from the child");
}

TEST_CASE("more starts than the mailbox takes are all made, in later batches")
{
    kernel_options options = kernel_options_here();
    options.processes_max = 6000;
    options.heap_pages = 4;
    family all;
    fd_program<seen> children(run_and_end, all.children);
    all.child = &children;
    all.count = static_cast<int>(vk::limits::batch_requests_max) + 700;
    fd_program<family> parent(start_children, all);
    kernel_here here(options);
    here->start(parent);
    here->run();
    CHECK(all.children.ended == all.count);
    CHECK(here->count().processes_started == static_cast<std::uint64_t>(all.count) + 1);
}

TEST_CASE("who waits for a vacancy is told when a process has ended")
{
    struct starter {
        static task<> run(int, family& all)
        {
            // Take every place that there is.
            while (process::current().shared().vacancies > 0) {
                ++all.count;
                co_await vk::start(*all.child, -1);
            }
            all.waited = all.children.ended == 0;
            co_await vk::vacancy();
            CHECK(all.children.ended > 0);
            all.vacancies = process::current().shared().vacancies;
        }
    };
    kernel_options options = kernel_options_here();
    options.processes_max = 5;
    family all;
    all.children.span = 3ms;
    fd_program<seen> children(sleep_then_say, all.children);
    all.child = &children;
    fd_program<family> parent(starter::run, all);
    kernel_here here(options);
    here->start(parent);
    here->run();
    CHECK(all.count == 5); // the parent takes no place of a connection
    CHECK(all.waited);
    CHECK(all.vacancies > 0);
    CHECK(all.vacancies <= 5);
    CHECK(all.children.ended == all.count);
}

TEST_CASE("processes started beyond the limit leave no vacancy, rather than many")
{
    struct starter {
        static task<> run(int, family& all)
        {
            co_await start_children(-1, all); // without asking
            co_await vk::sleep_for(1ms);
            all.vacancies = process::current().shared().vacancies;
        }
    };
    kernel_options options = kernel_options_here();
    options.processes_max = 4;
    family all;
    all.count = 10;
    all.children.span = 5ms;
    fd_program<seen> children(sleep_then_say, all.children);
    all.child = &children;
    fd_program<family> parent(starter::run, all);
    kernel_here here(options);
    here->start(parent);
    here->run();
    CHECK(all.vacancies == 0);
}

// --- heaps that used many pages -----------------------------------------------------------------------

namespace {

constexpr std::size_t many_pages = 256;

struct grown {
    void* pages = nullptr;
    std::size_t looks = 0;
    std::size_t still_there = 0; // of those looks
    std::size_t after = many_pages;
};

// How many of them have memory of the system's.
std::size_t resident(void* pages)
{
    std::vector<unsigned char> each(many_pages);
    REQUIRE(::mincore(pages, many_pages * vk::limits::page_bytes, each.data()) == 0);
    return static_cast<std::size_t>(
        std::count_if(each.begin(), each.end(), [](unsigned char is) { return (is & 1) != 0; }));
}

task<> grow_and_end(int, grown& by)
{
    vk::heap& own = process::current().heap();
    by.pages = own.take(many_pages);
    std::memset(by.pages, 0xff, many_pages * vk::limits::page_bytes);
    own.give(by.pages);
    co_return;
}

kernel_options with_large_heaps()
{
    kernel_options made = kernel_options_here();
    made.heap_pages = 2 * many_pages;
    return made;
}

} // namespace

TEST_CASE("the pages of a process that used many go back while the others sleep, and then the "
          "kernel sleeps too")
{
    struct late {
        static task<> run(int, grown& by)
        {
            co_await vk::sleep_for(50ms);
            by.after = resident(by.pages);
        }
    };
    grown by;
    fd_program<grown> growing(grow_and_end, by);
    fd_program<grown> looking(late::run, by);
    kernel_here here(with_large_heaps());
    for (int i = 0; i < 3; ++i)
        here->start(growing);
    here->start(looking);
    here->run();
    CHECK(by.after == 0);
    CHECK(here->count().waits <= 10);
}

TEST_CASE("nobody who is ready waits for the pages of a process that has ended")
{
    struct busy {
        static task<> run(int, grown& by)
        {
            for (; by.looks < 3; ++by.looks) {
                process::current().spend_all();
                co_await vk::yield(); // the kernel takes a turn
                by.still_there += resident(by.pages) > 0;
            }
        }
    };
    grown by;
    fd_program<grown> growing(grow_and_end, by);
    fd_program<grown> spinning(busy::run, by);
    kernel_options options = with_large_heaps();
    options.mask = vk::mask_way::mprotect; // with a key a heap is emptied as its process ends
    kernel_here here(options);
    here->start(growing);
    here->start(spinning);
    here->run();
    CHECK(by.looks == 3);
    CHECK(by.still_there == 3); // on each level: that other one ran since, and its heap is masked
}

// --- daemons -------------------------------------------------------------------------------------------

TEST_CASE("a daemon does not keep the kernel running, and is discarded with it")
{
    struct idle {
        static task<> run(vk::socket& io, seen& by)
        {
            ++by.started;
            auto line = co_await io.readline();
            by.said = line ? "line" : "end";
        }
    };
    socket_pair fds;
    seen by;
    seen other;
    {
        socket_program<seen> daemon(idle::run, by);
        fd_program<seen> what(run_and_end, other);
        kernel_here here;
        REQUIRE(here->start(daemon, fds.near.release(), true));
        here->start(what);
        here->run();
        CHECK(other.ended == 1);
        CHECK(by.started == 1);
        CHECK(here->processes() == 1);
    }
    CHECK(by.said.empty()); // it was not run to its end
    CHECK(vk::test::read_to_end(fds.far.get()).empty());
}

// --- drain ---------------------------------------------------------------------------------------------

namespace {

// As the signal process does.
void drain_kernel()
{
    process::current().shared().requests.leave({vk::request::verb::drain});
}

task<> ask_to_drain(int, std::chrono::milliseconds& delay)
{
    co_await vk::sleep_for(delay);
    drain_kernel();
}

task<> read_line(vk::socket& io, seen& by)
{
    ++by.started;
    try {
        auto line = co_await io.readline();
        by.said += line ? "line " : "end ";
    } catch (const vk::cancelled&) {
        by.said += "cancelled ";
    }
    ++by.ended;
}

task<> until_drained()
{
    while (!process::current().draining())
        co_await vk::sleep_for(1ms);
}

// Run `what` on a kernel that is asked to drain after a while.
vk::counters run_drained(const vk::program& what, int fd = -1, int drain_ms = 60'000)
{
    auto delay = 2ms;
    fd_program<std::chrono::milliseconds> drainer(ask_to_drain, delay);
    kernel_options options = kernel_options_here();
    options.drain_ms = drain_ms;
    kernel_here here(options);
    here->start(what, fd);
    here->start(drainer);
    here->run();
    return here->count();
}

} // namespace

TEST_CASE("draining ends those who wait for input, as if it had ended")
{
    seen by;
    socket_pair fds;
    socket_program<seen> reading(read_line, by);
    vk::counters counted = run_drained(reading, fds.near.release());
    CHECK(by.said == "end ");
    CHECK(counted.processes_failed == 0);
}

TEST_CASE("draining does not take away input that has come")
{
    struct lines {
        static task<> run(vk::socket& io, seen& by)
        {
            co_await until_drained();
            for (;;) {
                auto line = co_await io.readline();
                if (!line)
                    co_return;
                by.said += *line;
                co_await io.print("{}", *line);
            }
        }
    };
    seen by;
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "a\nb\n");
    socket_program<seen> reading(lines::run, by);
    run_drained(reading, fds.near.release());
    CHECK(by.said == "a\nb\n");
    CHECK(vk::test::read_to_end(fds.far.get()) == "a\nb\n");
}

TEST_CASE("draining does not take away input that came unnoticed")
{
    // A short read drained the fd. Then more came, but the process waited for something else than bytes.
    struct lines {
        static task<> run(vk::socket& io, seen& by)
        {
            by.said += *co_await io.readline();
            vk::test::write_all(by.far, "b\n");
            co_await until_drained();
            while (auto line = co_await io.readline())
                by.said += *line;
        }
    };
    tcp_pair fds;
    seen by;
    by.far = fds.far.get();
    vk::test::write_all(by.far, "a\n");
    socket_program<seen> reading(lines::run, by, vk::fd_kind::tcp);
    run_drained(reading, fds.near.release());
    CHECK(by.said == "a\nb\n");
}

TEST_CASE("a process that first reads when the kernel drains finds the end, not a wait")
{
    struct late {
        static task<> run(vk::socket& io, seen& by)
        {
            co_await until_drained();
            co_await read_line(io, by); // it was never told that there is nothing
        }
    };
    seen by;
    socket_pair fds;
    socket_program<seen> reading(late::run, by);
    run_drained(reading, fds.near.release());
    CHECK(by.said == "end ");
}

TEST_CASE("a process that is started when the kernel drains finds the end, too")
{
    seen by;
    socket_pair fds;
    socket_program<seen> reading(read_line, by);
    kernel_options options = kernel_options_here();
    options.drain_ms = 60'000;
    kernel_here here(options);
    here->drain();
    here->start(reading, fds.near.release());
    here->run();
    CHECK(by.said == "end ");
}

namespace {

task<> sleep_until_cancelled(int, seen& by)
{
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        by.said += "cancelled";
    }
}

// Run a process of `draining`, which asks the kernel to drain, beside one that sleeps.
vk::counters run_beside_sleeper(task<> (*draining)(int, seen&), seen& by)
{
    fd_program<seen> sleeping(sleep_until_cancelled, by);
    fd_program<seen> asking(draining, by);
    kernel_options options = kernel_options_here();
    options.drain_ms = 60'000;
    kernel_here here(options);
    here->start(sleeping);
    here->start(asking);
    here->run();
    return here->count();
}

} // namespace

TEST_CASE("what does not end within drain_ms is cancelled")
{
    seen by;
    fd_program<seen> sleeping(sleep_until_cancelled, by);
    auto before = vk::clock::now();
    run_drained(sleeping, -1, 30);
    CHECK(by.said == "cancelled");
    CHECK(vk::clock::now() - before >= 30ms);
    CHECK(vk::clock::now() - before < 10s);
}

TEST_CASE("a second drain cancels, but not one that comes at once")
{
    struct impatient {
        static task<> run(int, seen& by)
        {
            drain_kernel();
            co_await vk::yield();
            drain_kernel(); // the same one: a signal to a group comes twice
            co_await vk::sleep_for(5ms);
            by.said += "waiting ";
            co_await vk::sleep_for(std::chrono::milliseconds(vk::limits::drain_again_ms));
            drain_kernel();
        }
    };
    seen by;
    (void)run_beside_sleeper(impatient::run, by);
    CHECK(by.said == "waiting cancelled");
}

TEST_CASE("draining any number of times in one turn cancels once, and who asked comes to its end")
{
    struct hasty {
        static task<> run(int, seen& by)
        {
            drain_kernel();
            co_await vk::sleep_for(std::chrono::milliseconds(vk::limits::drain_again_ms));
            for (std::uint32_t i = 0; i < vk::limits::cancels_max + 2; ++i)
                drain_kernel();
            by.said += "asked ";
        }
    };
    seen by;
    vk::counters counted = run_beside_sleeper(hasty::run, by);
    CHECK(by.said == "asked cancelled");
    CHECK(counted.processes_failed == 0);
}

TEST_CASE("a process that goes on after each cancellation is discarded in the end, with its fds")
{
    vk::test::quiet quiet;
    struct stubborn {
        static task<> run(vk::socket& io, seen& by)
        {
            io.outlast_drain();
            for (;;) {
                try {
                    co_await vk::sleep_for(1h);
                } catch (const vk::cancelled&) {
                    ++by.started;
                }
            }
        }
    };
    seen by;
    seen other;
    socket_pair fds;
    socket_program<seen> staying(stubborn::run, by);
    fd_program<seen> what(run_and_end, other);
    kernel_options options = kernel_options_here();
    options.drain_ms = 1;
    kernel_here here(options);
    here->start(staying, fds.near.release());
    here->start(what);
    here->drain();
    here->run();
    CHECK(by.started >= 10);
    CHECK(other.ended == 1);
    CHECK(here->processes() == 0);
    CHECK(vk::test::read_to_end(fds.far.get()).empty());
}

// --- many ----------------------------------------------------------------------------------------------

TEST_CASE("more processes than a batch takes are all run, and all hear of their fds")
{
    struct echo {
        static task<> run(vk::socket& io, seen& by)
        {
            for (;;) {
                auto line = co_await io.readline();
                if (!line)
                    break;
                co_await io.print("{}", *line);
            }
            ++by.ended;
        }
    };
    struct client {
        static task<> run(vk::socket& io, seen& by)
        {
            for (int i = 0; i < 3; ++i) {
                co_await io.write("line\n");
                auto line = co_await io.readline();
                by.started += line && *line == "line\n";
            }
            co_await io.tx_close();
        }
    };
    constexpr int pairs = static_cast<int>(vk::limits::batch_processes_max) - 50;
    kernel_options options = kernel_options_here();
    options.processes_max = 2000;
    options.heap_pages = 4;
    seen by;
    socket_program<seen> serving(echo::run, by);
    socket_program<seen> asking(client::run, by);
    kernel_here here(options);
    for (int i = 0; i < pairs; ++i) {
        socket_pair fds;
        ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
        REQUIRE(here->start(serving, fds.near.release()));
        REQUIRE(here->start(asking, fds.far.release()));
    }
    here->run();
    CHECK(by.ended == pairs);
    CHECK(by.started == 3 * pairs);
    CHECK(here->count().processes_failed == 0);
    CHECK(here->count().heap_pages_high_water == 1);
}
