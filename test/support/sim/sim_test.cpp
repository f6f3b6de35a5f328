// The simulated operating system tested by itself, and against the real one.

#include "support/sim/sim.hpp"

#include "support/catch.hpp"
#include "support/sim/parity_sim.hpp"
#include "vk/base/os.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <string>

#include <netinet/in.h>
#include <sys/epoll.h>

using namespace std::chrono_literals;

namespace vk::sim {

namespace {

constexpr std::uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int open_listener()
{
    const int fd = os::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    os::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any);
    os::listen(fd, 16);
    return fd;
}

/// A small program: an epoll, and whatever a test has it watch.
class program {
public:
    explicit program(world& in) : world_{in} {}

    void watch(int fd, std::uint32_t bits = edges)
    {
        epoll_event event{.events = bits, .data = {.fd = fd}};
        REQUIRE(os::epoll_control(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
    }

    /// The bits of the one fd that a wait reports; 0 when it reports none.
    std::uint32_t wait(nanoseconds timeout)
    {
        std::array<epoll_event, 4> events{};
        const int count = os::epoll_wait(epoll_, events.data(), 4, timeout.count());
        REQUIRE(count <= 1);
        return count == 1 ? events[0].events : 0;
    }

    /// Wait for the first connection.
    int accept()
    {
        const int listener = open_listener();
        watch(listener);
        REQUIRE(wait(1s) == EPOLLIN);
        return os::accept(listener);
    }

    world& in() const noexcept { return world_; }

private:
    world& world_;
    int epoll_ = os::epoll_create();
};

ssize_t write(int fd, std::string_view bytes)
{
    return os::write(fd, bytes.data(), bytes.size());
}

std::string read(int fd, std::size_t bytes = 1000)
{
    std::string buffer(bytes, '\0');
    const ssize_t count = os::read(fd, buffer.data(), bytes);
    if (count < 0)
        return name_of_error(static_cast<int>(-count));
    return buffer.substr(0, static_cast<std::size_t>(count));
}

/// An echo server in the smallest form that is right: level-triggered, until SIGTERM.
class echo_server {
public:
    void run()
    {
        os::ignore_sigpipe();
        const int term[] = {SIGTERM};
        signals_ = os::signal_open(term, 1);
        listener_ = open_listener();
        add(signals_);
        add(listener_);
        while (!ended_)
            turn();
        for (const auto& [fd, pending] : pending_)
            os::close(fd);
        for (const int fd : {signals_, listener_, epoll_})
            os::close(fd);
    }

private:
    void add(int fd)
    {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        os::epoll_control(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    void turn()
    {
        std::array<epoll_event, 4> events{};
        const int count = os::epoll_wait(epoll_, events.data(), 4, -1);
        for (int n = 0; n < count; ++n)
            serve(events[static_cast<std::size_t>(n)].data.fd);
    }

    void serve(int fd)
    {
        if (fd == signals_) {
            ended_ = os::signal_read(fd) == SIGTERM || ended_;
        } else if (fd == listener_) {
            if (const int one = os::accept(fd); one >= 0) {
                pending_[one] = {};
                add(one);
            }
        } else {
            echo(fd);
        }
    }

    void echo(int fd)
    {
        std::string& pending = pending_[fd];
        if (pending.empty()) {
            std::array<char, 16> buffer;
            const ssize_t count = os::read(fd, buffer.data(), buffer.size());
            if (count == 0)
                return close(fd);
            if (count < 0)
                return;
            pending.assign(buffer.data(), static_cast<std::size_t>(count));
        }
        const ssize_t count = write(fd, pending);
        if (count > 0)
            pending.erase(0, static_cast<std::size_t>(count));
        epoll_event event{.events = pending.empty() ? EPOLLIN : EPOLLOUT, .data = {.fd = fd}};
        os::epoll_control(epoll_, EPOLL_CTL_MOD, fd, &event);
    }

    void close(int fd)
    {
        pending_.erase(fd);
        os::close(fd);
    }

    int epoll_ = os::epoll_create();
    int signals_ = -1;
    int listener_ = -1;
    bool ended_ = false;
    std::map<int, std::string> pending_;
};

std::string run_real_parity()
{
    std::FILE* const output = ::popen(VK_PARITY_REAL, "r");
    if (output == nullptr)
        throw std::runtime_error{"cannot run " VK_PARITY_REAL};
    std::string record;
    std::array<char, 4096> block;
    for (std::size_t count = 0; (count = std::fread(block.data(), 1, block.size(), output)) > 0;)
        record.append(block.data(), count);
    if (::pclose(output) != 0)
        throw std::runtime_error{VK_PARITY_REAL " failed"};
    return record;
}

} // namespace

TEST_CASE("the simulated kernel answers as the real one does")
{
    const std::string simulated = run_simulated_parity();
    const std::string real = run_real_parity();
    std::istringstream real_lines{real};
    std::istringstream simulated_lines{simulated};
    std::string subject;
    std::string so_far;
    std::size_t count = 0;
    for (std::string line, other; std::getline(real_lines, line); ++count) {
        std::getline(simulated_lines, other);
        if (line.starts_with("---"))
            so_far.clear();
        INFO("so far\n" << so_far);
        REQUIRE(other == line);
        so_far += line + "\n";
    }
    CHECK(simulated == real);
    CHECK(count > 1000);
}

TEST_CASE("time passes only when the program waits")
{
    world in{{.call_ns = 0, .now_ns = 0}};
    program test{in};
    const std::int64_t begin = os::now();
    CHECK(begin > 0);
    CHECK(os::now() == begin);
    CHECK(test.wait(5ms) == 0);
    CHECK(os::now() == begin + 5'000'000);
    CHECK(os::sleep_until(begin + 7'000'000) == 0);
    CHECK(os::now() == begin + 7'000'000);
    CHECK(os::sleep_until(begin) == 0);
    CHECK(os::now() == begin + 7'000'000);
    CHECK(os::poll(nullptr, 0, 1'000'000) == 0);
    CHECK(os::now() == begin + 8'000'000);
}

TEST_CASE("a wait ends when something happens, not before and not after")
{
    world in{{.call_ns = 0, .now_ns = 0, .latency_ns = 0}};
    program test{in};
    in.add_client("late").after(3ms).connect();
    const std::int64_t begin = os::now();
    const int listener = open_listener();
    test.watch(listener);
    CHECK(test.wait(2ms) == 0);
    CHECK(os::accept(listener) == -EAGAIN);
    CHECK(test.wait(10s) == EPOLLIN);
    CHECK(os::now() == begin + 3'000'000);
    CHECK(os::accept(listener) >= 0);
}

TEST_CASE("a client waits for a listener, and is refused by one that has gone")
{
    world in;
    program test{in};
    auto& early = in.add_client("early").connect().send("x");
    auto& late = in.add_client("late").after(1s).connect();
    CHECK(test.wait(1ms) == 0);
    const int listener = open_listener();
    test.watch(listener);
    CHECK(test.wait(1ms) == EPOLLIN);
    const int fd = os::accept(listener);
    CHECK(read(fd) == "x");
    os::close(listener);
    CHECK(test.wait(2s) == 0);
    CHECK(early.completed());
    CHECK(late.done());
    CHECK_FALSE(late.completed());
    CHECK(late.ended() == client::ending::refused);
}

TEST_CASE("a script is played in order, at its times")
{
    world in{{.call_ns = 0, .now_ns = 0, .latency_ns = 1000}};
    program test{in};
    auto& one = in.add_client("one").connect().send_cut("abcd", 2, 1ms).receive(2).send("e");
    const int fd = test.accept();
    const std::int64_t begin = os::now();
    test.watch(fd);
    CHECK(test.wait(1s) == (EPOLLIN | EPOLLOUT));
    CHECK(read(fd) == "ab");
    CHECK(test.wait(1s) == (EPOLLIN | EPOLLOUT));
    CHECK(os::now() == begin + 1'000'000);
    CHECK(read(fd) == "cd");
    CHECK(test.wait(1s) == 0);
    write(fd, "1");
    CHECK(test.wait(1s) == 0);
    CHECK_FALSE(one.done());
    write(fd, "2");
    CHECK(test.wait(1s) == (EPOLLIN | EPOLLOUT));
    CHECK(read(fd) == "e");
    CHECK(one.completed());
    CHECK(one.received() == "12");
    CHECK(one.sent() == "abcde");
}

TEST_CASE("a script that waits for what will not come is given up")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").connect().receive_line().send("never");
    const int fd = test.accept();
    write(fd, "no newline");
    os::close(fd);
    in.settle();
    CHECK(one.done());
    CHECK_FALSE(one.completed());
    CHECK(one.received() == "no newline");
    CHECK(one.ended() == client::ending::eof);
}

TEST_CASE("a script that sends to a connection that is gone is given up")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").connect().send("a").after(1ms).send("b").after(1ms).send("c");
    const int fd = test.accept();
    CHECK(read(fd) == "a");
    os::close(fd);
    in.settle();
    CHECK(one.done());
    CHECK_FALSE(one.completed());
    CHECK(one.ended() == client::ending::eof);
}

TEST_CASE("what is cut at random arrives whole")
{
    for (const std::uint64_t seed : seeds(20)) {
        INFO("VK_SEED=" << seed);
        world in{{.seed = seed}};
        program test{in};
        const std::string text(1000, 'x');
        auto& one = in.add_client("one").connect().send_random(text + "end").half_close();
        const int fd = test.accept();
        test.watch(fd);
        std::string got;
        std::size_t reads = 0;
        for (std::uint32_t bits = 0; (bits & EPOLLRDHUP) == 0 && reads < 2000; ++reads) {
            bits = test.wait(1s);
            // An edge may be of data that the read before it has taken along.
            for (std::string more; more = read(fd), !more.empty() && more != "EAGAIN";)
                got += more;
        }
        CHECK(got == text + "end");
        CHECK(reads > 2);
        CHECK(one.completed());
    }
}

TEST_CASE("a client that does not read fills its window, and no more")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").window(10).connect().stop_reading().after(1ms).read_on();
    const int fd = test.accept();
    test.watch(fd);
    CHECK(test.wait(1us) == EPOLLOUT);
    CHECK(write(fd, "0123456789abc") == 10);
    CHECK(write(fd, "abc") == -EAGAIN);
    CHECK(one.received().empty());
    CHECK(test.wait(1s) == EPOLLOUT);
    CHECK(one.received() == "0123456789");
    CHECK(write(fd, "abc") == 3);
    in.settle();
    CHECK(one.received() == "0123456789abc");
}

TEST_CASE("a slow client takes its time")
{
    world in{{.latency_ns = 0}};
    program test{in};
    auto& one = in.add_client("one").read_slowly(2, 1ms).connect();
    const int fd = test.accept();
    write(fd, "123456");
    os::sleep_until(os::now() + 1'500'000);
    CHECK(one.received() == "1234");
    os::sleep_until(os::now() + 1'000'000);
    CHECK(one.received() == "123456");
}

TEST_CASE("a full accept queue lets clients wait")
{
    world in;
    program test{in};
    const int listener = os::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    REQUIRE(os::bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(os::listen(listener, 1) == 0);
    for (int n = 0; n < 5; ++n)
        in.add_client("one").connect();
    os::sleep_until(os::now() + 1'000'000);
    int accepted = 0;
    for (int n = 0; n < 20; ++n)
        accepted += os::accept(listener) >= 0;
    CHECK(accepted == 5);
    CHECK(os::accept(listener) == -EAGAIN);
}

TEST_CASE("descriptors are the lowest that are free, and no more than allowed")
{
    world in{{.open_files = 6}};
    CHECK(os::open_files_max() == 6);
    CHECK(os::epoll_create() == 3);
    CHECK(os::epoll_create() == 4);
    CHECK(os::epoll_create() == 5);
    CHECK(os::epoll_create() == -EMFILE);
    CHECK(in.open_fds() == 3);
    CHECK(os::close(4) == 0);
    CHECK(os::epoll_create() == 4);
    int fds[2];
    in.set_open_files(7);
    CHECK(os::pipe(fds) == -EMFILE);
    CHECK(in.open_fds() == 3);
    CHECK(in.complaints().empty());
    CHECK(os::close(9) == -EBADF);
    CHECK(os::read(9, nullptr, 0) == -EBADF);
    CHECK(in.complaints().size() == 2);
}

TEST_CASE("standard input and output can be a client's")
{
    world in;
    auto& user =
        in.add_client("user").standard_io().after(1ms).send("typed").receive(5).half_close();
    CHECK(read(0) == "typed");
    CHECK(os::set_nonblocking(0, true) == 0);
    CHECK(os::set_nonblocking(0, true) == 1);
    CHECK(read(0) == "EAGAIN");
    CHECK(write(1, "shown") == 5);
    in.settle();
    CHECK(read(0).empty());
    CHECK(user.received() == "shown");
    CHECK(user.completed());
    CHECK(write(2, "log") == 3);
    CHECK(in.output() == "log");
}

TEST_CASE("the program can connect to a client")
{
    world in;
    program test{in};
    auto& backend = in.add_client("backend").accept("10.0.0.1:80").receive(4).send("fine").close();
    const int fd = os::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_addr.s_addr = htonl(0x0a000001);
    there.sin_port = htons(80);
    test.watch(fd);
    CHECK(test.wait(0ns) == (EPOLLOUT | EPOLLHUP));
    CHECK(os::connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there) == -EINPROGRESS);
    CHECK(test.wait(1s) == EPOLLOUT);
    CHECK(write(fd, "ask!") == 4);
    CHECK(test.wait(1s) == (EPOLLIN | EPOLLOUT | EPOLLRDHUP));
    CHECK(read(fd) == "fine");
    CHECK(read(fd).empty());
    CHECK(backend.completed());
}

TEST_CASE("a signal without a listener is a complaint")
{
    world in;
    in.signal(SIGTERM);
    REQUIRE(in.complaints().size() == 1);
    CHECK(in.complaints().front().find("killed by signal 15") != std::string::npos);
}

TEST_CASE("a write to a broken pipe is a complaint, unless SIGPIPE is ignored")
{
    world in;
    int fds[2];
    os::pipe(fds);
    os::close(fds[0]);
    CHECK(write(fds[1], "x") == -EPIPE);
    CHECK(in.complaints().size() == 1);
    os::ignore_sigpipe();
    CHECK(write(fds[1], "x") == -EPIPE);
    CHECK(in.complaints().size() == 1);
}

TEST_CASE("mappings are counted, and fail on demand")
{
    world in{{.mapped_bytes_max = 16 * os::page_bytes()}};
    const std::size_t page = os::page_bytes();
    int error = 0;
    auto* const at = static_cast<char*>(os::map(8 * page, os::access::read_write, error));
    REQUIRE(at != nullptr);
    CHECK(os::map(9 * page, os::access::none, error) == nullptr);
    CHECK(error == ENOMEM);
    CHECK(in.mapped_bytes() == static_cast<std::ptrdiff_t>(8 * page));
    CHECK(os::unmap(at + 2 * page, 2 * page) == 0);
    CHECK(in.mapped_bytes() == static_cast<std::ptrdiff_t>(6 * page));
    CHECK(os::protect(at, 2 * page, os::access::none) == 0);
    CHECK(in.complaints().empty());
    CHECK(os::protect(at, 3 * page, os::access::none) == -ENOMEM);
    CHECK(in.complaints().size() == 1);
    CHECK(os::unmap(at, 8 * page) == 0);
    CHECK(in.complaints().size() == 2);
    CHECK(in.mapped_bytes() == 0);
    in.fail_next(call::map, ENOMEM);
    CHECK(os::map(page, os::access::none, error) == nullptr);
    CHECK(error == ENOMEM);
}

TEST_CASE("calls fail where they are asked to")
{
    world in;
    in.fail_call(1, ENFILE);
    in.fail_nth(call::epoll_create, 3, ENOMEM);
    CHECK(os::epoll_create() == 3);
    CHECK(os::epoll_create() == -ENFILE);
    CHECK(os::epoll_create() == 4);
    CHECK(os::epoll_create() == -ENOMEM);
    in.fail_next(call::epoll_create, EMFILE, 2);
    CHECK(os::epoll_create() == -EMFILE);
    CHECK(os::epoll_create() == -EMFILE);
    CHECK(os::epoll_create() == 5);
    CHECK(in.faults() == 4);
    CHECK(in.count(call::epoll_create) == 7);
    REQUIRE(in.calls().size() == 7);
    CHECK(in.calls()[1].injected);
    CHECK(in.calls()[1].result == -ENFILE);
    CHECK_FALSE(in.calls()[2].injected);
}

TEST_CASE("close closes, whatever it answers")
{
    world in;
    const int fd = os::epoll_create();
    in.fail_next(call::close, EINTR);
    CHECK(os::close(fd) == -EINTR);
    CHECK(in.open_fds() == 0);
}

TEST_CASE("a spurious EAGAIN is followed by an edge, and the data with it")
{
    world in;
    program test{in};
    in.add_client("one").connect().send("abc").half_close();
    const int fd = test.accept();
    test.watch(fd, EPOLLIN | EPOLLET);
    CHECK(test.wait(1s) == EPOLLIN);
    in.fail_next(call::read, EAGAIN);
    CHECK(read(fd) == "EAGAIN");
    CHECK(read(fd) == "EAGAIN"); // it has not come yet, so it cannot be there
    CHECK(test.wait(0ns) == 0);
    CHECK(test.wait(1s) == EPOLLIN);
    CHECK(read(fd) == "abc");
    CHECK(read(fd).empty());
}

TEST_CASE("a spurious EAGAIN of a write is followed by an edge")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").connect();
    const int fd = test.accept();
    test.watch(fd, EPOLLOUT | EPOLLET);
    CHECK(test.wait(1s) == EPOLLOUT);
    in.fail_next(call::write, EAGAIN);
    CHECK(write(fd, "abc") == -EAGAIN);
    CHECK(write(fd, "abc") == -EAGAIN);
    CHECK(test.wait(0ns) == 0);
    CHECK(test.wait(1s) == EPOLLOUT);
    CHECK(write(fd, "abc") == 3);
    in.settle();
    CHECK(one.received() == "abc");
}

TEST_CASE("once an end was reported a read cannot say EAGAIN, nor be short")
{
    world in;
    program test{in};
    in.add_client("one").connect().send("abc").half_close();
    const int fd = test.accept();
    CHECK(errors_of(call::read, target::socket)[0] == EAGAIN);
    test.watch(fd);
    CHECK((test.wait(1s) & EPOLLRDHUP) != 0);
    in.shorten_next(call::read, 1);
    CHECK(read(fd) == "abc");
    for (const int error : in.calls().back().errors)
        CHECK(error != EAGAIN);
}

TEST_CASE("a short read holds the rest back until an edge")
{
    world in;
    program test{in};
    in.add_client("one").connect().send("abcdef");
    const int fd = test.accept();
    test.watch(fd, EPOLLIN | EPOLLET);
    CHECK(test.wait(1s) == EPOLLIN);
    in.shorten_next(call::read, 2);
    CHECK(read(fd) == "ab");
    CHECK(read(fd) == "EAGAIN");
    CHECK(test.wait(1s) == EPOLLIN);
    CHECK(read(fd) == "cdef");
}

TEST_CASE("a short write has no room left until an edge")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").connect();
    const int fd = test.accept();
    test.watch(fd, EPOLLOUT | EPOLLET);
    CHECK(test.wait(1s) == EPOLLOUT);
    in.shorten_next(call::writev, 3);
    char first[] = "ab";
    char second[] = "cd";
    const iovec parts[] = {{first, 2}, {second, 2}};
    CHECK(os::writev(fd, parts, 2) == 3);
    CHECK(write(fd, "d") == -EAGAIN);
    CHECK(test.wait(1s) == EPOLLOUT);
    CHECK(write(fd, "d") == 1);
    in.settle();
    CHECK(one.received() == "abcd");
}

TEST_CASE("a connection that fails is broken for both ends")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").connect().send("abc");
    const int fd = test.accept();
    in.fail_next(call::read, ECONNRESET);
    CHECK(read(fd) == "ECONNRESET");
    CHECK(read(fd).empty());
    os::ignore_sigpipe();
    CHECK(write(fd, "x") == -EPIPE);
    in.settle();
    CHECK(one.ended() == client::ending::reset);
    CHECK(in.victims().contains(&one));
}

TEST_CASE("accept loses the connection with ECONNABORTED, and keeps it with EMFILE")
{
    world in;
    program test{in};
    auto& one = in.add_client("one").connect();
    auto& two = in.add_client("two").after(500us).connect();
    const int listener = open_listener();
    os::sleep_until(os::now() + 1'000'000);
    in.fail_next(call::accept, EMFILE);
    CHECK(os::accept(listener) == -EMFILE);
    CHECK(in.victims().empty());
    in.fail_next(call::accept, ECONNABORTED);
    CHECK(os::accept(listener) == -ECONNABORTED);
    CHECK(in.victims().contains(&one));
    CHECK(os::accept(listener) >= 0);
    CHECK(os::accept(listener) == -EAGAIN);
    in.settle();
    CHECK(one.ended() == client::ending::reset);
    CHECK(two.ended() == client::ending::none);
}

TEST_CASE("EAGAIN of accept is followed by an edge")
{
    world in;
    program test{in};
    in.add_client("one").connect();
    const int listener = open_listener();
    test.watch(listener);
    CHECK(test.wait(1s) == EPOLLIN);
    in.fail_next(call::accept, EAGAIN);
    CHECK(os::accept(listener) == -EAGAIN);
    CHECK(test.wait(1s) == EPOLLIN);
    CHECK(os::accept(listener) >= 0);
}

TEST_CASE("a program that waits for ever is ended, and complained of")
{
    world in;
    echo_server{}.run();
    REQUIRE(in.complaints().size() == 1);
    CHECK(in.complaints().front().find("waits for ever") != std::string::npos);
    CHECK(in.open_fds() == 0);
}

namespace {

/// Three clients of the small echo server; a digest of all that was called.
std::string run_echo(const options& how, double fault_rate = 0)
{
    world in{how};
    in.set_fault_rate(fault_rate);
    const std::string text = "a longer text than the sixteen bytes that are read at a time";
    auto& one = in.add_client("one").connect().send(text).receive(text.size()).close();
    auto& two = in.add_client("two").connect().send_random(text).half_close().receive_end();
    auto& three = in.add_client("three").after(1ms).connect().send("x").after(1ms).reset();
    in.terminate_when_done();
    echo_server{}.run();
    in.settle();
    if (fault_rate == 0) {
        CHECK(one.received() == text);
        CHECK(two.received() == text);
        CHECK(two.completed());
        CHECK(three.completed());
        CHECK(in.complaints().empty());
        CHECK(in.open_fds() == 0);
    }
    return in.trace(in.calls().size());
}

} // namespace

TEST_CASE("a program in a world: an echo server, its clients, its end")
{
    const std::string calm = run_echo({});
    CHECK(run_echo({}) == calm);
    CHECK(calm.find("accept") != std::string::npos);
}

TEST_CASE("a seed is a run, another seed another; noise loses nothing")
{
    std::string last;
    for (const std::uint64_t seed : seeds(100)) {
        INFO("VK_SEED=" << seed);
        const options noisy{.seed = seed, .jitter_ns = 100'000, .noise = noise::all(0.2)};
        const std::string trace = run_echo(noisy);
        CHECK(run_echo(noisy) == trace);
        CHECK(trace != last);
        CHECK(trace.find("injected") != std::string::npos);
        last = trace;
    }
}

} // namespace vk::sim
