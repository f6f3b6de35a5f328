#include "service/server_process.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>
#include <vk/service/run.hpp>
#include <vk/service/server.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vk::server_options;
using vk::task;
using vk::test::ask;
using vk::test::ending;
using vk::test::is_silent;
using vk::test::read_line;
using vk::test::server_options_here;
using vk::test::server_process;
using vk::test::unique_fd;

// Servers over loopback, each in an OS process of its own.

namespace {

task<> echo(vk::socket& io)
{
    for (std::size_t n = 0;; ++n) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.print("Line {}: {}", n, *line);
    }
}

struct temporary_folder {
    temporary_folder()
    {
        char pattern[] = "/tmp/vk-serve-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~temporary_folder() { std::filesystem::remove_all(path); }
    std::string file(const char* name) const { return path / name; }
    std::filesystem::path path;
};

std::string content_of(const std::string& path)
{
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// The number after "name": in JSON.
std::uint64_t counted(const std::string& json, const std::string& name)
{
    std::size_t at = json.find("\"" + name + "\":");
    REQUIRE(at != std::string::npos);
    return std::stoull(json.substr(at + name.size() + 3));
}

void half_close(const unique_fd& fd)
{
    ::shutdown(fd.get(), SHUT_WR);
}

} // namespace

// --- serving -------------------------------------------------------------------------------------------

TEST_CASE("a server announces where it listens, serves each client, and ends on SIGTERM")
{
    server_process server(server_options_here(), echo);
    REQUIRE(server.started());
    unique_fd a = server.connect();
    unique_fd b = server.connect();
    CHECK(ask(a, "one\n") == "Line 0: one\n");
    CHECK(ask(b, "two\n") == "Line 0: two\n");
    CHECK(ask(a, "three\n") == "Line 1: three\n");
    half_close(a);
    CHECK(vk::test::read_to_end(a.get()).empty());
    CHECK(ask(b, "four\n") == "Line 1: four\n");
    b.reset();
    ending ended = server.stop();
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}

TEST_CASE("a server listens on several addresses: IPv4, IPv6 and a unix socket")
{
    temporary_folder folder;
    server_options options = server_options_here();
    options.listen = {"127.0.0.1:0", "[::1]:0", "unix:" + folder.file("echo.sock")};
    server_process server(options, echo);
    REQUIRE(server.started());
    for (std::size_t i = 0; i < 3; ++i) {
        INFO(server.at(i).text());
        unique_fd client = server.connect(i);
        CHECK(ask(client, "hi\n") == "Line 0: hi\n");
        half_close(client);
        CHECK(vk::test::read_to_end(client.get()).empty());
    }
    CHECK(std::filesystem::exists(folder.file("echo.sock")));
    CHECK(server.stop().exited_with(0));
    CHECK_FALSE(std::filesystem::exists(folder.file("echo.sock")));
}

TEST_CASE("a unix socket that a killed server left behind is replaced")
{
    temporary_folder folder;
    server_options options = server_options_here();
    options.listen = "unix:" + folder.file("echo.sock");
    {
        server_process server(options, echo);
        REQUIRE(server.started());
        server.signal(SIGKILL);
        CHECK(server.wait().killed_by(SIGKILL));
    }
    CHECK(std::filesystem::exists(folder.file("echo.sock")));
    server_process next(options, echo);
    REQUIRE(next.started());
    CHECK(ask(next.connect(), "again\n") == "Line 0: again\n");
    CHECK(next.stop().exited_with(0));
}

TEST_CASE("a service with a message shares it between its connections")
{
    struct shared {
        int visitors = 0;
        static task<> run(vk::socket& io, shared& all)
        {
            ++all.visitors;
            co_await io.print("visitor {}\n", all.visitors);
        }
    };
    shared message;
    server_process server(server_options_here(), {shared::run, message});
    REQUIRE(server.started());
    CHECK(read_line(server.connect()) == "visitor 1\n");
    CHECK(read_line(server.connect()) == "visitor 2\n");
    CHECK(server.stop().exited_with(0));
    CHECK(message.visitors == 0); // it was the server's, which is another OS process
}

TEST_CASE("what a service wrote arrives though it ends at once, with input unread")
{
    struct abrupt {
        static task<> run(vk::socket& io)
        {
            auto line = co_await io.readline();
            std::string answer(100'000, 'x');
            if (line)
                co_await io.write(answer);
        }
    };
    server_process server(server_options_here(), abrupt::run);
    REQUIRE(server.started());
    unique_fd client = server.connect();
    vk::test::write_all(client.get(), "first\n" + std::string(5000, 'y') + "\nunread\n");
    CHECK(vk::test::read_to_end(client.get()).size() == 100'000);
    client.reset();
    CHECK(server.stop().exited_with(0));
}

TEST_CASE("a connection whose service fails is closed, and the server goes on")
{
    struct picky {
        static task<> run(vk::socket& io)
        {
            for (;;) {
                auto line = co_await io.readline();
                if (!line)
                    co_return;
                if (*line == "fail\n")
                    throw std::runtime_error("as you like");
                co_await io.print("{}", *line);
            }
        }
    };
    server_process server(server_options_here(), picky::run);
    REQUIRE(server.started());
    unique_fd other = server.connect();
    CHECK(ask(other, "ok\n") == "ok\n");
    unique_fd failing = server.connect();
    CHECK(ask(failing, "fail\n").empty());
    CHECK(ask(other, "still ok\n") == "still ok\n");
    CHECK(ask(server.connect(), "new\n") == "new\n");
    other.reset();
    ending ended = server.stop();
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("as you like"));
}

TEST_CASE("a line longer than the heap ends its connection, with a line in the log")
{
    server_options options = server_options_here();
    options.heap_pages = 16;
    server_process server(options, echo);
    REQUIRE(server.started());
    unique_fd other = server.connect();
    CHECK(ask(other, "ok\n") == "Line 0: ok\n");
    unique_fd large = server.connect();
    std::string much(300'000, 'x');
    vk::test::write_all(large.get(), much);
    half_close(large);
    CHECK(vk::test::read_to_end(large.get()).empty());
    CHECK(ask(other, "ok\n") == "Line 1: ok\n");
    other.reset();
    ending ended = server.stop();
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("heap of 16 pages exhausted"));
}

// --- limits --------------------------------------------------------------------------------------------

TEST_CASE("connections beyond the limit wait until one ends")
{
    for (std::size_t limit : {1, 2}) {
        server_options options = server_options_here();
        options.connections_max = limit;
        server_process server(options, echo);
        REQUIRE(server.started());
        std::vector<unique_fd> served;
        for (std::size_t i = 0; i < limit; ++i) {
            served.push_back(server.connect());
            CHECK(ask(served.back(), "in\n") == "Line 0: in\n");
        }
        unique_fd waiting = server.connect();
        vk::test::write_all(waiting.get(), "out\n");
        CHECK(is_silent(waiting, 50));
        CHECK(ask(served[0], "still\n") == "Line 1: still\n");
        served[0].reset();
        CHECK(read_line(waiting) == "Line 0: out\n");
        served.clear();
        waiting.reset();
        CHECK(server.stop().exited_with(0));
    }
}

TEST_CASE("a server at its limit ends on SIGTERM without the time for draining")
{
    server_options options = server_options_here();
    options.connections_max = 1;
    options.drain = 20s;
    server_process server(options, echo);
    REQUIRE(server.started());
    unique_fd served = server.connect();
    CHECK(ask(served, "in\n") == "Line 0: in\n");
    unique_fd waiting = server.connect();
    auto before = std::chrono::steady_clock::now();
    CHECK(server.stop().exited_with(0));
    CHECK(std::chrono::steady_clock::now() - before < 10s);
}

TEST_CASE("an idle client is dropped after the timeout, an active one is not")
{
    server_options options = server_options_here();
    options.timeout = 150ms;
    server_process server(options, echo);
    REQUIRE(server.started());
    unique_fd idle = server.connect();
    unique_fd active = server.connect();
    auto before = std::chrono::steady_clock::now();
    for (int i = 0; i < 6; ++i) {
        CHECK(ask(active, "x\n") == "Line " + std::to_string(i) + ": x\n");
        std::this_thread::sleep_for(50ms);
    }
    CHECK_FALSE(is_silent(idle, 0)); // 300 ms have passed
    CHECK(vk::test::read_to_end(idle.get()).empty());
    CHECK(ask(active, "y\n") == "Line 6: y\n");
    CHECK(vk::test::read_to_end(active.get()).empty()); // now it is idle as well
    CHECK(std::chrono::steady_clock::now() - before >= 450ms);
    CHECK(server.stop().exited_with(0));
}

TEST_CASE("hundreds of connections, one after another, leave no fd and no process")
{
    temporary_folder folder;
    server_options options = server_options_here();
    options.stats = folder.file("stats.json");
    server_process server(options, echo);
    REQUIRE(server.started());
    CHECK(ask(server.connect(), "x\n") == "Line 0: x\n");
    std::size_t fds = server.open_fds();
    std::size_t served = 0;
    for (int i = 0; i < 300; ++i) {
        unique_fd client = server.connect();
        served += ask(client, "x\n") == "Line 0: x\n";
        half_close(client);
        served += vk::test::read_to_end(client.get()).empty();
    }
    CHECK(served == 600);
    for (int i = 0; i < 100 && server.open_fds() > fds; ++i)
        std::this_thread::sleep_for(5ms);
    CHECK(server.open_fds() <= fds);
    CHECK(server.stop().exited_with(0));

    std::string stats = content_of(options.stats);
    CHECK(counted(stats, "accepts") == 301);
    CHECK(counted(stats, "processes_started") == 303); // the listener and the signals are two
    CHECK(counted(stats, "processes_ended") >= 302);
    CHECK(counted(stats, "processes_failed") == 0);
    CHECK(counted(stats, "heap_pages_high_water") == 1);
}

// --- the end -------------------------------------------------------------------------------------------

TEST_CASE("on SIGTERM clients that wait find the end, and what they sent is answered")
{
    server_options options = server_options_here();
    options.drain = 20s;
    server_process server(options, echo);
    REQUIRE(server.started());
    unique_fd idle = server.connect();
    CHECK(ask(idle, "x\n") == "Line 0: x\n");
    vk::address at = server.at();
    auto before = std::chrono::steady_clock::now();
    server.signal(SIGTERM);
    CHECK(vk::test::read_to_end(idle.get()).empty());
    CHECK(server.wait().exited_with(0));
    CHECK(std::chrono::steady_clock::now() - before < 10s);
    CHECK(vk::test::connect_to(at).get() == -1); // nobody listens any more
}

TEST_CASE("a service that does not end is cancelled after the time for draining")
{
    struct stubborn {
        static task<> run(vk::socket& io)
        {
            co_await io.write("started\n");
            co_await io.flush();
            co_await vk::sleep_for(1h);
        }
    };
    server_options options = server_options_here();
    options.drain = 100ms;
    server_process server(options, stubborn::run);
    REQUIRE(server.started());
    unique_fd client = server.connect();
    CHECK(read_line(client) == "started\n");
    auto before = std::chrono::steady_clock::now();
    CHECK(server.stop().exited_with(0));
    auto span = std::chrono::steady_clock::now() - before;
    CHECK(span >= 100ms);
    CHECK(span < 10s);
}

TEST_CASE("a client that never reads keeps no other waiting, and does not outlive the drain")
{
    server_process server(server_options_here(), echo);
    REQUIRE(server.started());
    unique_fd greedy = server.connect();
    std::string lines;
    while (lines.size() < 60'000)
        lines += "a line that is answered, and the answer never read\n";
    ::fcntl(greedy.get(), F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 200; ++i)
        if (::send(greedy.get(), lines.data(), lines.size(), MSG_NOSIGNAL) < 0)
            std::this_thread::sleep_for(1ms);
    CHECK(ask(server.connect(), "x\n") == "Line 0: x\n");
    CHECK(server.stop().exited_with(0));
}

// --- errors --------------------------------------------------------------------------------------------

TEST_CASE("a busy port is one line on stderr and status 1")
{
    server_process first(server_options_here(), echo);
    REQUIRE(first.started());
    server_options options = server_options_here();
    options.listen = first.at().text();
    server_process second(options, echo);
    CHECK_FALSE(second.started());
    ending ended = second.wait();
    INFO(ended.text());
    CHECK(ended.exited_with(1));
    CHECK_THAT(ended.said, ContainsSubstring("error: "));
    CHECK_THAT(ended.said, ContainsSubstring(first.at().text()));
    CHECK(std::count(ended.said.begin(), ended.said.end(), '\n') == 1);
    CHECK(ask(first.connect(), "x\n") == "Line 0: x\n");
    CHECK(first.stop().exited_with(0));
}

TEST_CASE("options that cannot be are one line on stderr and status 1")
{
    auto refused = [](auto change) {
        server_options options = server_options_here();
        change(options);
        server_process server(options, echo);
        ending ended = server.wait();
        INFO(ended.text());
        CHECK(ended.exited_with(1));
        CHECK(std::count(ended.said.begin(), ended.said.end(), '\n') == 1);
        return ended.said;
    };
    CHECK_THAT(refused([](server_options& o) { o.listen = "nowhere"; }),
               ContainsSubstring("nowhere"));
    CHECK_THAT(refused([](server_options& o) { o.listen = vk::address_list(); }),
               ContainsSubstring("no address"));
    CHECK_THAT(refused([](server_options& o) { o.poller = "pigeon"; }),
               ContainsSubstring("pigeon"));
    CHECK_THAT(refused([](server_options& o) { o.heap_pages = 0; }),
               ContainsSubstring("heap_pages"));
}

TEST_CASE("counters that cannot be written are a failure, after all clients were served")
{
    server_options options = server_options_here();
    options.stats = "/nonexistent/stats.json";
    server_process server(options, echo);
    REQUIRE(server.started());
    CHECK(ask(server.connect(), "x\n") == "Line 0: x\n");
    ending ended = server.stop();
    CHECK(ended.exited_with(1));
    CHECK_THAT(ended.said, ContainsSubstring("/nonexistent/stats.json"));
}

// --- workers -------------------------------------------------------------------------------------------

TEST_CASE("several workers share the port, and what they counted adds up")
{
    temporary_folder folder;
    server_options options = server_options_here();
    options.workers = 3;
    options.listen = {"127.0.0.1:0", "unix:" + folder.file("echo.sock")};
    options.stats = folder.file("stats.json");
    server_process server(options, echo);
    REQUIRE(server.started());
    std::size_t served = 0;
    for (std::size_t i = 0; i < 60; ++i) {
        unique_fd client = server.connect(i % 2);
        served += ask(client, "x\n") == "Line 0: x\n";
        half_close(client);
        served += vk::test::read_to_end(client.get()).empty();
    }
    CHECK(served == 120);
    ending ended = server.stop();
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(counted(content_of(options.stats), "accepts") == 60);
    CHECK_FALSE(std::filesystem::exists(folder.file("echo.sock")));
}

TEST_CASE("several workers on a busy port are one line and status 1")
{
    server_process first(server_options_here(), echo);
    REQUIRE(first.started());
    server_options options = server_options_here();
    options.listen = first.at().text();
    options.workers = 2;
    server_process second(options, echo);
    CHECK_FALSE(second.started());
    ending ended = second.wait();
    INFO(ended.text());
    CHECK(ended.exited_with(1));
    CHECK(first.stop().exited_with(0));
}

// --- standard input and output -------------------------------------------------------------------------

namespace {

// Runs `main` with `input` on stdin; what it wrote to stdout is appended to `output`.
ending run_standard(task<> (*main)(vk::socket&), const std::string& input, std::string& output)
{
    unique_fd in(::memfd_create("in", MFD_CLOEXEC));
    unique_fd out(::memfd_create("out", MFD_CLOEXEC));
    REQUIRE(::write(in.get(), input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    ::lseek(in.get(), 0, SEEK_SET);
    ending ended = vk::test::in_child([&] {
        ::dup2(in.get(), STDIN_FILENO);
        ::dup2(out.get(), STDOUT_FILENO);
        server_options options = server_options_here();
        return vk::run(main, options);
    });
    ::lseek(out.get(), 0, SEEK_SET);
    output = vk::test::read_to_end(out.get());
    return ended;
}

} // namespace

TEST_CASE("a service runs on standard input and output, files included")
{
    std::string output;
    ending ended = run_standard(echo, "a\nb\nc", output);
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(output == "Line 0: a\nLine 1: b\nLine 2: c");
}

TEST_CASE("standard input that ends at once serves nothing")
{
    std::string output;
    CHECK(run_standard(echo, "", output).exited_with(0));
    CHECK(output.empty());
}

TEST_CASE("an exception of a service on standard input and output is status 1")
{
    struct failing {
        static task<> run(vk::socket& io)
        {
            co_await io.write("before\n");
            co_await io.flush();
            throw std::runtime_error("on purpose");
        }
    };
    std::string output;
    ending ended = run_standard(failing::run, "", output);
    CHECK(ended.exited_with(1));
    CHECK(output == "before\n");
    CHECK_THAT(ended.said, ContainsSubstring("on purpose"));
}

TEST_CASE("standard input and output are blocking again afterwards")
{
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    unique_fd in(pipe[0]);
    {
        unique_fd writer(pipe[1]);
        REQUIRE(::write(writer.get(), "x\n", 2) == 2);
    }
    ending ended = vk::test::in_child([&] {
        ::dup2(in.get(), STDIN_FILENO);
        unique_fd null(::open("/dev/null", O_WRONLY));
        ::dup2(null.get(), STDOUT_FILENO);
        int status = vk::run(echo, server_options_here());
        bool blocking = (::fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK) == 0;
        return status == 0 && blocking ? 0 : 1;
    });
    CHECK(ended.exited_with(0));
}
