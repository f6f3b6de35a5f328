#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>
#include <vk/service/listener.hpp>
#include <vk/service/outgoing.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vk::address;
using vk::counters;
using vk::outgoing;
using vk::process;
using vk::task;
using vk::test::fd_program;
using vk::test::kernel_here;
using vk::test::read_exactly;
using vk::test::read_to_end;
using vk::test::unique_fd;
using vk::test::write_all;

// Outgoing connections, to peers that the test plays from outside of the kernel; with both pollers.

namespace {

struct temporary_folder {
    temporary_folder()
    {
        char pattern[] = "/tmp/vk-outgoing-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~temporary_folder() { std::filesystem::remove_all(path); }
    address at(const char* name) const { return address::parse("unix:" + (path / name).string()); }
    std::filesystem::path path;
};

// A listener of the test's.
struct place {
    explicit place(const address& wanted = address::parse("127.0.0.1:0"), int backlog = 0)
        : fd(vk::open_listener(wanted, {backlog, false})),
          at(wanted.is_unix() ? wanted : address::of_socket(fd.get()))
    {
    }

    // The next connection; it blocks, and so do its reads.
    unique_fd accept() const
    {
        pollfd level{fd.get(), POLLIN, 0};
        if (::poll(&level, 1, 5000) != 1)
            return unique_fd();
        return unique_fd(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }

    unique_fd fd;
    address at;
};

// A port at which nobody listens.
address nobody()
{
    return place().at;
}

// Fill the backlog of `one`, so that it answers to nobody else.
std::vector<unique_fd> fill(const place& one)
{
    std::vector<unique_fd> all;
    for (int i = 0; i < 4; ++i) {
        all.emplace_back(::socket(one.at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(all.back().get(), one.at.raw(), one.at.bytes());
    }
    return all;
}

// Run a process of `main`, once with each poller, and call `check` on what was counted.
template <class Argument>
void run_each(task<> (*main)(int, Argument&), Argument& argument,
              const std::function<void(const counters&)>& check = {})
{
    for (const char* poller : {"epoll", "poll"}) {
        INFO("poller " << poller);
        auto options = vk::test::kernel_options_here();
        options.poller = poller;
        fd_program<Argument> what(main, argument);
        kernel_here here(options);
        REQUIRE(here->start(what));
        here->run();
        if (check)
            check(here->count());
    }
}

// Run `act` beside the kernel, in an OS process of its own, and wait for it.
class beside {
public:
    explicit beside(const std::function<void()>& act)
        : running_(
              [&] {
                  act();
                  return 0;
              },
              60)
    {
    }
    ~beside() { CHECK(running_.wait().exited_with(0)); }
    beside(const beside&) = delete;
    beside& operator=(const beside&) = delete;

private:
    vk::test::child running_;
};

void echo_lines(const place& at, int connections)
{
    for (int i = 0; i < connections; ++i) {
        unique_fd fd = at.accept();
        std::string line;
        char byte;
        while (::read(fd.get(), &byte, 1) == 1) {
            line += byte;
            if (byte == '\n') // in one piece, so that one read finds it
                write_all(fd.get(), std::exchange(line, {}));
        }
    }
}

struct asked {
    address to;
    std::string said;
    int count = 0;
};

task<> ask_once(int, asked& by)
{
    outgoing upstream;
    CHECK_FALSE(upstream.connected());
    co_await upstream.connect(by.to, 5s);
    CHECK(upstream.connected());
    if (!by.to.is_unix()) {
        int on = 0;
        socklen_t bytes = sizeof(on);
        ::getsockopt(upstream.io().tx_fd(), IPPROTO_TCP, TCP_NODELAY, &on, &bytes);
        CHECK(on == 1);
    }
    co_await upstream.io().write("hello\n");
    auto line = co_await upstream.io().readline();
    by.said += line ? *line : "nothing";
    char wanted[address::host_bytes_max];
    char found[address::host_bytes_max];
    CHECK(address::of_peer(upstream.io().rx_fd()).host(found) == by.to.host(wanted));
    upstream.close();
    CHECK_FALSE(upstream.connected());
}

} // namespace

// --- connecting ----------------------------------------------------------------------------------------

TEST_CASE("a process connects over IPv4, IPv6 and a unix socket, writes and reads")
{
    temporary_folder folder;
    for (const address& wanted :
         {address::parse("127.0.0.1:0"), address::parse("[::1]:0"), folder.at("peer")}) {
        INFO(wanted.text());
        place peer(wanted);
        beside echoing([&] { echo_lines(peer, 2); });
        asked by{peer.at, {}};
        run_each(ask_once, by, [](const counters& count) {
            CHECK(count.connects == 1);
            CHECK(count.connect_errors == 0);
            CHECK(count.eagain == 0); // it is known that nothing can have come
            CHECK(count.processes_failed == 0);
        });
        CHECK(by.said == "hello\nhello\n");
    }
}

TEST_CASE("a connection that is refused throws, says where, and another can be made")
{
    struct refused {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            try {
                co_await upstream.connect(nobody(), 5s);
            } catch (const vk::error& e) {
                CHECK(e.code() == std::errc::connection_refused);
                CHECK_THAT(e.what(), ContainsSubstring("connect 127.0.0.1:"));
                by.said += "refused ";
            }
            CHECK_FALSE(upstream.connected());
            co_await upstream.connect(by.to, 5s);
            by.said += upstream.connected() ? "connected " : "";
        }
    };
    place peer;
    asked by{peer.at, {}};
    run_each(refused::run, by, [](const counters& count) {
        CHECK(count.connects == 1);
        CHECK(count.connect_errors == 1);
    });
    CHECK(by.said == "refused connected refused connected ");
}

TEST_CASE("a path without a socket is an error at once")
{
    struct lost {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            try {
                co_await upstream.connect(by.to);
            } catch (const vk::error& e) {
                CHECK(e.code() == std::errc::no_such_file_or_directory);
                ++by.count;
            }
        }
    };
    temporary_folder folder;
    asked by{folder.at("nobody"), {}};
    run_each(lost::run, by);
    CHECK(by.count == 2);
}

namespace {

task<> time_out(int, asked& by)
{
    outgoing upstream;
    for (int i = 0; i < 2; ++i) { // it can be tried again
        auto began = vk::clock::now();
        try {
            co_await upstream.connect(by.to, 30ms);
            by.said += "connected ";
        } catch (const vk::timed_out&) {
            by.said += "timed out ";
        }
        CHECK(vk::clock::now() - began >= 30ms);
        CHECK(vk::clock::now() - began < 3s);
        CHECK_FALSE(upstream.connected());
    }
}

} // namespace

TEST_CASE("a peer that does not answer is given up at the deadline, and the fd closed")
{
    temporary_folder folder;
    for (const address& wanted : {address::parse("127.0.0.1:0"), folder.at("busy")}) {
        INFO(wanted.text());
        place peer(wanted, 1);
        std::vector<unique_fd> queue = fill(peer);
        asked by{peer.at, {}};
        run_each(time_out, by, [](const counters& count) {
            CHECK(count.connects == 0);
            CHECK(count.connect_errors == 2);
        });
        CHECK(by.said == "timed out timed out timed out timed out ");
    }
}

TEST_CASE("a unix socket whose backlog is full is asked again until there is room")
{
    temporary_folder folder;
    place peer(folder.at("busy"), 1);
    for (const char* poller : {"epoll", "poll"}) {
        INFO("poller " << poller);
        std::vector<unique_fd> queue = fill(peer);
        struct patient {
            static task<> run(int, asked& by)
            {
                outgoing upstream;
                co_await upstream.connect(by.to, 5s);
                auto line = co_await upstream.io().readline();
                by.said = line ? *line : "nothing";
            }
        };
        asked by{peer.at, {}};
        auto options = vk::test::kernel_options_here();
        options.poller = poller;
        fd_program<asked> what(patient::run, by);
        kernel_here here(options); // to make one may take long
        beside accepting([&] {
            std::this_thread::sleep_for(20ms);
            for (int i = 0; i < 3; ++i) // two are of the backlog
                write_all(peer.accept().get(), "welcome\n");
        });
        here->start(what);
        here->run();
        CHECK(by.said == "welcome\n");
        CHECK(here->count().dispatches > 3); // it slept in between
        CHECK(here->count().dispatches < 200);
    }
}

TEST_CASE("connecting is ended by cancellation, and the fd closed")
{
    struct impatient {
        static task<> wait(outgoing* upstream, asked* by)
        {
            try {
                co_await upstream->connect(by->to);
            } catch (const vk::cancelled&) {
                by->said += "cancelled ";
            }
            CHECK_FALSE(upstream->connected());
        }
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            vk::thread_handle waiting = vk::spawn(wait, &upstream, &by);
            co_await vk::sleep_for(5ms);
            CHECK_FALSE(waiting.ended());
            waiting.cancel();
            co_await waiting.join();
        }
    };
    temporary_folder folder;
    for (const address& wanted : {address::parse("127.0.0.1:0"), folder.at("busy")}) {
        INFO(wanted.text());
        place peer(wanted, 1);
        std::vector<unique_fd> queue = fill(peer);
        asked by{peer.at, {}};
        run_each(impatient::run, by);
        CHECK(by.said == "cancelled cancelled ");
    }
}

TEST_CASE("without a kernel there is nobody to own the connection")
{
    vk::run_local([]() -> task<> {
        outgoing upstream;
        address to = address::parse("127.0.0.1:1");
        bool refused = false;
        try {
            co_await upstream.connect(to);
        } catch (const vk::error& e) {
            refused = e.code() == std::errc::function_not_supported;
        }
        CHECK(refused);
    });
}

// --- connected -----------------------------------------------------------------------------------------

TEST_CASE("a peer that closes at once is an end, and writing to it an error, not a signal")
{
    struct left {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            co_await upstream.connect(by.to, 5s);
            auto line = co_await upstream.io().readline();
            CHECK_FALSE(line);
            try {
                for (int i = 0; i < 100; ++i) {
                    co_await upstream.io().write("anybody there?\n");
                    co_await upstream.io().flush();
                    co_await vk::sleep_for(1ms);
                }
            } catch (const vk::error& e) {
                CHECK((e.code() == std::errc::broken_pipe ||
                       e.code() == std::errc::connection_reset));
                ++by.count;
            }
        }
    };
    temporary_folder folder;
    for (const address& wanted : {address::parse("127.0.0.1:0"), folder.at("peer")}) {
        INFO(wanted.text());
        place peer(wanted);
        beside closing([&] {
            for (int i = 0; i < 2; ++i)
                (void)peer.accept();
        });
        asked by{peer.at, {}};
        run_each(left::run, by);
        CHECK(by.count == 2);
    }
}

TEST_CASE("what was written and not flushed is sent when the connection is closed")
{
    struct brief {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            co_await upstream.connect(by.to, 5s);
            co_await upstream.io().write("good bye\n");
        }
    };
    place peer;
    asked by{peer.at, {}};
    run_each(brief::run, by);
    for (int i = 0; i < 2; ++i)
        CHECK(read_to_end(peer.accept().get()) == "good bye\n");
}

TEST_CASE("a connection is quiet until something comes, or it ends")
{
    struct listens {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            CHECK_FALSE(upstream.quiet());
            co_await upstream.connect(by.to, 5s);
            CHECK(upstream.quiet());
            co_await upstream.io().write("go\n");
            co_await upstream.io().flush();
            for (int i = 0; i < 2000 && upstream.quiet(); ++i)
                co_await vk::sleep_for(1ms);
            CHECK_FALSE(upstream.quiet());
        }
    };
    for (std::string_view answer : {"", "late answer"}) {
        place peer;
        beside answering([&] {
            for (int i = 0; i < 2; ++i) {
                unique_fd fd = peer.accept();
                (void)read_exactly(fd.get(), 3);
                write_all(fd.get(), answer);
                if (!answer.empty())
                    (void)read_to_end(fd.get());
            }
        });
        asked by{peer.at, {}};
        run_each(listens::run, by);
    }
}

TEST_CASE("an answer that comes while the process drains is read")
{
    struct drained {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            co_await upstream.connect(by.to, 5s);
            co_await upstream.io().write("question\n");
            co_await upstream.io().flush();
            process::current().shared().requests.leave({vk::request::verb::drain});
            auto line = co_await upstream.io().readline();
            by.said += line ? *line : "nothing";
            CHECK(process::current().draining());
        }
    };
    place peer;
    beside answering([&] {
        for (int i = 0; i < 2; ++i) {
            unique_fd fd = peer.accept();
            (void)read_exactly(fd.get(), 9);
            std::this_thread::sleep_for(20ms);
            write_all(fd.get(), "answer\n");
        }
    });
    asked by{peer.at, {}};
    run_each(drained::run, by);
    CHECK(by.said == "answer\nanswer\n");
}

// --- fds -----------------------------------------------------------------------------------------------

TEST_CASE("a thousand connections, one after the other, leave nothing behind")
{
    struct many {
        static task<> run(int, asked& by)
        {
            std::size_t fds = 0;
            for (int i = 0; i < 1000; ++i) {
                outgoing upstream;
                co_await upstream.connect(by.to, 5s);
                auto line = co_await upstream.io().readline();
                by.count += line && *line == fmt::format("{}\n", i);
                if (i == 10)
                    fds = vk::test::open_fds();
            }
            CHECK(vk::test::open_fds() == fds);
        }
    };
    temporary_folder folder;
    for (const address& wanted : {address::parse("127.0.0.1:0"), folder.at("peer")}) {
        INFO(wanted.text());
        place peer(wanted);
        beside counting([&] {
            for (int i = 0; i < 2000; ++i)
                write_all(peer.accept().get(), fmt::format("{}\n", i % 1000));
        });
        asked by{peer.at, {}};
        run_each(many::run, by, [](const counters& count) { CHECK(count.connects == 1000); });
        CHECK(by.count == 2000);
    }
}

TEST_CASE("an fd whose number was another connection's a moment ago is not taken for it")
{
    // One peer speaks at once, and its word is not awaited; the other speaks late.
    struct pair {
        address loud;
        address late;
        std::string said = {};
        int same = 0;

        static task<> run(int, pair& by)
        {
            outgoing first;
            outgoing second;
            for (int i = 0; i < 50; ++i) {
                co_await first.connect(by.loud, 5s);
                int number = first.io().rx_fd();
                co_await vk::sleep_for(100us);
                first.close();
                co_await vk::sleep_for(100us); // the kernel closes it
                co_await second.connect(by.late, 5s);
                by.same += second.io().rx_fd() == number;
                auto line = co_await second.io().readline();
                by.said += line ? *line : "nothing";
                second.close();
            }
        }
    };
    place loud;
    place late;
    beside speaking([&] {
        for (int i = 0; i < 100; ++i) {
            unique_fd first = loud.accept();
            write_all(first.get(), "loud\n");
            unique_fd second = late.accept();
            std::this_thread::sleep_for(200us);
            write_all(second.get(), "l\n");
        }
    });
    pair by{loud.at, late.at};
    run_each(pair::run, by);
    std::string expected;
    for (int i = 0; i < 100; ++i)
        expected += "l\n";
    CHECK(by.said == expected);
    CHECK(by.same > 0); // else this shows nothing
}

TEST_CASE("a connection that a process leaves behind when it fails is closed")
{
    struct failing {
        static task<> run(int, asked& by)
        {
            outgoing upstream;
            co_await upstream.connect(by.to, 5s);
            throw std::runtime_error("on purpose");
        }
    };
    vk::test::quiet no_warnings;
    place peer;
    asked by{peer.at, {}};
    run_each(failing::run, by, [](const counters& count) { CHECK(count.processes_failed == 1); });
    for (int i = 0; i < 2; ++i)
        CHECK(read_to_end(peer.accept().get()).empty());
}

TEST_CASE("a connection is closed though the mailbox is full, and one that is made waits for room")
{
    struct crowded {
        static task<> run(int, asked& by)
        {
            process& self = process::current();
            std::size_t before = vk::test::open_fds();
            {
                outgoing one;
                outgoing other;
                co_await one.connect(by.to, 5s);
                co_await other.connect(by.to, 5s);
                while (self.shared().requests.leave({vk::request::verb::vacancy})) {}
            }
            outgoing next;
            co_await next.connect(by.to, 5s); // after the batch
            by.count += static_cast<int>(vk::test::open_fds() - before);
        }
    };
    place peer;
    asked by{peer.at, {}};
    run_each(crowded::run, by);
    CHECK(by.count == 2); // one each time: the first two are closed
}

TEST_CASE("the system's limit of open files is an error of the connection, and of nothing else")
{
    struct short_of_fds {
        static task<> run(int, asked& by)
        {
            std::vector<unique_fd> all;
            for (;;) {
                all.emplace_back(::dup(0));
                if (all.back().get() < 0)
                    break;
            }
            outgoing upstream;
            try {
                co_await upstream.connect(by.to, 5s);
            } catch (const vk::error& e) {
                CHECK(e.code() == std::errc::too_many_files_open);
                ++by.count;
            }
            all.clear();
            co_await upstream.connect(by.to, 5s);
            by.count += upstream.connected();
        }
    };
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    place peer;
    asked by{peer.at, {}};
    auto ended = vk::test::in_child([&] {
        const rlimit few{128, 128};
        ::setrlimit(RLIMIT_NOFILE, &few);
        fd_program<asked> what(short_of_fds::run, by);
        auto here = vk::kernel::make(vk::test::kernel_options_here());
        here->start(what);
        here->run();
        return by.count == 2 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}
