#include "io/socket_pair.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using vk::counters;
using vk::fd_kind;
using vk::process;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::kernel_here;
using vk::test::read_into;
using vk::test::run_socket;
using vk::test::socket_pair;
using vk::test::socket_program;
using vk::test::tcp_pair;
using vk::test::text_of;
using vk::test::unique_fd;

// Sockets on file descriptors, in processes of a kernel. The client's end is a plain fd of the test, which was
// prepared before the kernel runs and is looked at afterwards, or another process.

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

void half_close(const unique_fd& fd)
{
    ::shutdown(fd.get(), SHUT_WR);
}

} // namespace

// --- lines and bytes -----------------------------------------------------------------------------------

namespace {

task<> echo(vk::socket& io, std::size_t& lines)
{
    for (lines = 0;; ++lines) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.print("Line {}: {}", lines, *line);
    }
}

} // namespace

TEST_CASE("an echo service answers what a client sent before it closed its side")
{
    auto check = [](auto pair) {
        vk::test::write_all(pair.far.get(), "hello\nworld\nno newline");
        half_close(pair.far);
        std::size_t lines = 0;
        run_socket(echo, pair.near, lines);
        CHECK(lines == 3);
        CHECK(vk::test::read_to_end(pair.far.get()) ==
              "Line 0: hello\nLine 1: world\nLine 2: no newline");
    };
    check(socket_pair());
    check(tcp_pair());
}

TEST_CASE("a client that says nothing and closes is served nothing")
{
    socket_pair fds;
    half_close(fds.far);
    std::size_t lines = 99;
    run_socket(echo, fds.near, lines);
    CHECK(lines == 0);
    CHECK(vk::test::read_to_end(fds.far.get()).empty());
}

namespace {

struct transfer {
    std::string sent;
    std::string got;
    bool readable_end = false;
};

task<> send_all(vk::socket& io, transfer& what)
{
    co_await io.write(what.sent);
    co_await io.tx_close();
    char byte;
    std::size_t count = co_await io.read(std::span(&byte, 1)); // until the other side has it all
    CHECK(count == 0);
}

task<> receive_in_pieces(vk::socket& io, transfer& what)
{
    std::size_t wanted = 1;
    for (;;) {
        std::size_t before = what.got.size();
        co_await read_into(&io, wanted, &what.got);
        if (what.got.size() - before < wanted)
            co_return;
        wanted = wanted * 3 % 40'009; // small ones through the ring, large ones past it
    }
}

} // namespace

TEST_CASE("a large stream passes between two processes byte for byte")
{
    fd_kind kind = GENERATE(fd_kind::unix_socket, fd_kind::tcp, fd_kind::other);
    transfer what;
    what.sent = text_of(3'000'000);
    counters count;
    auto pass = [&](auto pair) {
        kernel_here here;
        socket_program<transfer> sender(send_all, what, kind);
        socket_program<transfer> receiver(receive_in_pieces, what, kind);
        ::fcntl(pair.far.get(), F_SETFL, O_NONBLOCK);
        REQUIRE(here->start(sender, pair.near.release()));
        REQUIRE(here->start(receiver, pair.far.release()));
        here->run();
        count = here->count();
    };
    if (kind == fd_kind::tcp)
        pass(tcp_pair());
    else
        pass(socket_pair());
    bool same = what.got == what.sent;
    CHECK(same);
    CHECK(count.bytes_out == what.sent.size());
    CHECK(count.bytes_in == what.sent.size());
    CHECK(count.processes_failed == 0);
    CHECK(count.processes_ended == 2);
}

TEST_CASE("lines that wrap in the ring arrive whole")
{
    struct lines {
        std::size_t same = 0;
        static task<> run(vk::socket& io, lines& seen)
        {
            for (unsigned i = 0;; ++i) {
                auto line = co_await io.readline();
                if (!line)
                    co_return;
                seen.same += *line == text_of(i * 37 % 3000, i) + "\n";
            }
        }
    };
    std::string sent;
    for (unsigned i = 0; i < 100; ++i)
        sent += text_of(i * 37 % 3000, i) + "\n";
    REQUIRE(sent.size() > 4 * block);
    socket_pair fds;
    REQUIRE(vk::test::write_all(fds.far.get(), sent));
    half_close(fds.far);
    lines seen;
    run_socket(lines::run, fds.near, seen);
    CHECK(seen.same == 100);
}

TEST_CASE("a line longer than a block is read, one longer than the heap ends its process alone")
{
    vk::test::quiet quiet;
    struct outcome {
        std::size_t bytes = 0;
        std::size_t needed = 0;
        static task<> run(vk::socket& io, outcome& seen)
        {
            try {
                auto line = co_await io.readline();
                seen.bytes = line ? line->size() : 0;
            } catch (const vk::heap_exhausted& e) {
                seen.needed = e.pages_needed();
                throw;
            }
        }
    };
    socket_pair small;
    socket_pair large;
    REQUIRE(vk::test::write_all(small.far.get(), text_of(3 * block) + "\n"));
    REQUIRE(vk::test::write_all(large.far.get(), text_of(100'000) + "\n"));
    half_close(small.far);
    half_close(large.far);
    outcome read;
    outcome failed;
    counters count;
    {
        kernel_here here;
        socket_program<outcome> first(outcome::run, failed);
        socket_program<outcome> second(outcome::run, read);
        REQUIRE(here->start(first, large.near.release()));
        REQUIRE(here->start(second, small.near.release()));
        here->run();
        count = here->count();
    }
    CHECK(read.bytes == 3 * block + 1);
    CHECK(failed.bytes == 0);
    CHECK(failed.needed > vk::limits::heap_pages_default);
    CHECK(count.processes_failed == 1);
    CHECK(count.processes_ended == 2);
}

TEST_CASE(
    "a write that is larger than everything goes out in short writes, while the reader is slow")
{
    struct slow {
        static task<> run(vk::socket& io, transfer& what)
        {
            for (;;) {
                std::size_t before = what.got.size();
                co_await read_into(&io, 100'000, &what.got);
                if (what.got.size() - before < 100'000)
                    co_return;
                co_await vk::sleep_for(1ms);
            }
        }
    };
    transfer what;
    what.sent = text_of(2'000'000);
    socket_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    counters count;
    {
        kernel_here here;
        socket_program<transfer> sender(send_all, what);
        socket_program<transfer> receiver(slow::run, what);
        REQUIRE(here->start(sender, fds.near.release()));
        REQUIRE(here->start(receiver, fds.far.release()));
        here->run();
        count = here->count();
    }
    bool same = what.got == what.sent;
    CHECK(same);
    CHECK(count.writes > 5); // it did not go at once
}

// --- flushing ------------------------------------------------------------------------------------------

namespace {

struct ping {
    int rounds = 0;
    std::string answer;
};

// Writes, and waits for the answer without a flush.
task<> ask(vk::socket& io, ping& what)
{
    for (int i = 0; i < what.rounds; ++i) {
        co_await io.write("ping\n");
        auto line = co_await io.readline();
        if (!line)
            break;
        what.answer.assign(*line);
    }
    co_await io.tx_close();
}

} // namespace

TEST_CASE("output is sent when the process waits for input, without a flush")
{
    ping what{100, {}};
    std::size_t lines = 0;
    tcp_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    counters count;
    std::string poller;
    {
        kernel_here here;
        poller = here->poller_name();
        socket_program<std::size_t> server(echo, lines, fd_kind::tcp);
        socket_program<ping> client(ask, what, fd_kind::tcp);
        REQUIRE(here->start(server, fds.near.release()));
        REQUIRE(here->start(client, fds.far.release()));
        here->run();
        count = here->count();
    }
    CHECK(lines == 100);
    CHECK(what.answer == "Line 99: ping\n");
    if (poller == "uring") { // which has received a line before it is read, and sends it later
        CHECK(count.writes <= 4);
        CHECK(count.reads <= 4);
        CHECK(count.eagain <= 2);
        return;
    }
    // A line costs each side one write and one read, and no read or write is in vain.
    CHECK(count.writes == 200);
    if (poller == "uring-poll") { // whose reports do not tell an urgent mark from bytes
        CHECK(count.reads <= 404);
        return;
    }
    CHECK(count.reads <= 204);
    CHECK(count.eagain <= 2);
}

TEST_CASE("answers to a pipelined batch leave in one write, after one read")
{
    tcp_pair fds;
    std::string batch;
    for (int i = 0; i < 16; ++i)
        batch += "request\n";
    REQUIRE(vk::test::write_all(fds.far.get(), batch));
    half_close(fds.far);
    std::size_t lines = 0;
    counters count = run_socket(echo, fds.near, lines, fd_kind::tcp);
    CHECK(lines == 16);
    CHECK(count.writes == 1);
    CHECK(count.reads <= 2); // the batch, and the end
    CHECK(count.eagain == 0);
    CHECK(count.registrations <= 2);
}

namespace {

task<> write_and_sleep(vk::socket& io, std::chrono::milliseconds& span)
{
    co_await io.write("before\n");
    co_await vk::sleep_for(span);
    co_await io.write("after\n");
}

} // namespace

TEST_CASE("output is sent when the process sleeps, and when it ends")
{
    socket_pair fds;
    auto span = 1ms;
    counters count = run_socket(write_and_sleep, fds.near, span);
    CHECK(vk::test::read_to_end(fds.far.get()) == "before\nafter\n");
    CHECK(count.writes == 2);
}

TEST_CASE("a flush waits until all was handed to the system")
{
    struct flusher {
        static task<> run(vk::socket& io, std::size_t& writes)
        {
            co_await io.write("abc");
            CHECK(process::current().shared().count.writes == 0);
            co_await io.flush();
            writes = process::current().shared().count.writes;
            co_await io.flush(); // of nothing
            CHECK(process::current().shared().count.writes == writes);
        }
    };
    socket_pair fds;
    std::size_t writes = 0;
    run_socket(flusher::run, fds.near, writes);
    CHECK(writes == 1);
    CHECK(vk::test::read_to_end(fds.far.get()) == "abc");
}

// --- ends and errors -----------------------------------------------------------------------------------

namespace {

struct errors {
    int read = 0;
    int write = 0;
    int flush = 0;
    int again = 0;
    std::string got;
};

task<> write_until_error(vk::socket& io, errors& seen)
{
    try {
        for (;;)
            co_await io.write(text_of(block));
    } catch (const vk::error& e) {
        seen.write = e.code().value();
    }
    try {
        co_await io.write("x"); // the error stays
    } catch (const vk::error& e) {
        seen.again = e.code().value();
    }
    try {
        co_await io.flush();
    } catch (const vk::error& e) {
        seen.flush = e.code().value();
    }
    try {
        std::string rest;
        co_await read_into(&io, 100, &rest);
        seen.got = rest;
    } catch (const vk::error& e) {
        seen.read = e.code().value();
    }
    throw vk::error(EPIPE, "as seen"); // so that the last flush is not tried
}

} // namespace

TEST_CASE(
    "writing to a client that is gone is EPIPE, not a signal, and what it sent can still be read")
{
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "farewell");
    fds.far.reset();
    errors seen;
    counters count = run_socket(write_until_error, fds.near, seen);
    CHECK(seen.write == EPIPE);
    CHECK(seen.again == EPIPE);
    CHECK(seen.flush == EPIPE);
    CHECK(seen.got == "farewell");
    CHECK(seen.read == 0);
    CHECK(count.processes_failed == 1);
}

namespace {

task<> read_until_error(vk::socket& io, errors& seen)
{
    try {
        co_await read_into(&io, 100, &seen.got);
    } catch (const vk::error& e) {
        seen.read = e.code().value();
    }
    try {
        auto line = co_await io.readline();
        CHECK_FALSE(line);
    } catch (const vk::error& e) {
        seen.again = e.code().value();
    }
}

} // namespace

TEST_CASE("a connection that is reset is ECONNRESET for who reads, and stays so")
{
    tcp_pair fds;
    fds.reset();
    errors seen;
    counters count = run_socket(read_until_error, fds.near, seen, fd_kind::tcp);
    CHECK(seen.read == ECONNRESET);
    CHECK(seen.again == ECONNRESET);
    CHECK(count.processes_ended == 1);
}

TEST_CASE("a reset behind bytes is ECONNRESET, not the end of the stream")
{
    struct victim {
        static task<> run(vk::socket& io, errors& seen)
        {
            try {
                auto line = co_await io.readline();
                seen.got = line ? *line : std::string_view();
                line = co_await io.readline();
                CHECK(line); // not reached
            } catch (const vk::error& e) {
                seen.read = e.code().value();
            }
        }
    };
    struct breaker {
        static task<> run(int, tcp_pair& fds)
        {
            co_await vk::sleep_for(2ms); // the victim waits by then
            vk::test::write_all(fds.far.get(), "part\n");
            fds.reset();
        }
    };
    tcp_pair fds;
    errors seen;
    kernel_here here;
    socket_program<errors> reading(victim::run, seen, fd_kind::tcp);
    vk::test::fd_program<tcp_pair> breaking(breaker::run, fds);
    REQUIRE(here->start(reading, fds.near.release()));
    REQUIRE(here->start(breaking));
    here->run();
    CHECK(seen.got == "part\n");
    CHECK(seen.read == ECONNRESET);
}

TEST_CASE("a connection that is reset while it is waited for wakes who reads and who writes")
{
    struct both {
        errors* seen;
        static task<> write(vk::socket* io, errors* seen)
        {
            try {
                for (;;)
                    co_await io->write(text_of(block));
            } catch (const vk::error& e) {
                seen->write = e.code().value();
            }
        }
        static task<> run(vk::socket& io, errors& seen)
        {
            thread_handle writer = spawn(write, &io, &seen);
            try {
                co_await read_into(&io, 100, &seen.got);
            } catch (const vk::error& e) {
                seen.read = e.code().value();
            }
            co_await writer.join();
            throw vk::error(EPIPE, "as seen");
        }
    };
    struct breaker {
        static task<> run(int, tcp_pair& fds)
        {
            co_await vk::sleep_for(5ms); // both are blocked by then
            fds.reset();
        }
    };
    tcp_pair fds;
    errors seen;
    {
        kernel_here here;
        socket_program<errors> victim(both::run, seen, fd_kind::tcp);
        vk::test::fd_program<tcp_pair> breaking(breaker::run, fds);
        REQUIRE(here->start(victim, fds.near.release()));
        REQUIRE(here->start(breaking));
        here->run();
    }
    // Who comes first is told of the reset, the other that the pipe is broken, or that there is no more.
    CHECK((seen.read == ECONNRESET || seen.read == 0));
    CHECK((seen.write == ECONNRESET || seen.write == EPIPE));
    CHECK((seen.read == ECONNRESET || seen.write == ECONNRESET));
}

namespace {

task<> answer_after_end(vk::socket& io, std::string& got)
{
    for (;;) {
        auto line = co_await io.readline();
        if (!line)
            break;
        got += *line;
    }
    CHECK(io.eof());
    CHECK(io.nodata());
    co_await io.print("{}", "you said: " + got);
}

} // namespace

TEST_CASE("a client that closed its side is still written to")
{
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "a\nb\n");
    half_close(fds.far);
    std::string got;
    run_socket(answer_after_end, fds.near, got);
    CHECK(vk::test::read_to_end(fds.far.get()) == "you said: a\nb\n");
}

TEST_CASE("that a client has closed its side is known before all that it sent was read")
{
    struct reader {
        static task<> run(vk::socket& io, unique_fd& far)
        {
            std::string got;
            thread_handle reading = spawn(read_into, &io, 2, &got);
            co_await vk::yield(); // it waits
            CHECK_FALSE(io.poll_hup());
            vk::test::write_all(far.get(), "text");
            half_close(far);
            co_await reading.join();
            CHECK(io.poll_hup());
            co_await read_into(&io, 100, &got);
            CHECK(got == "text");
            CHECK(io.poll_hup());
        }
    };
    socket_pair fds;
    run_socket(reader::run, fds.near, fds.far);
}

TEST_CASE("closing the output ends the client's input, and the client is still read")
{
    struct closer {
        static task<> run(vk::socket& io, std::string& got)
        {
            co_await io.write("the end");
            CHECK_FALSE(io.hanged());
            co_await io.tx_close();
            CHECK(io.hanged());
            int broken = 0;
            try {
                co_await io.write("more");
            } catch (const vk::error& e) {
                broken = e.code().value();
            }
            CHECK(broken == EPIPE);
            co_await read_into(&io, 100, &got);
            throw vk::error(EPIPE, "as seen");
        }
    };
    struct client {
        static task<> run(vk::socket& io, std::string& got)
        {
            co_await read_into(&io, 100, &got); // to the end
            co_await io.write("heard");
        }
    };
    socket_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    std::string by_closer;
    std::string by_client;
    {
        kernel_here here;
        socket_program<std::string> first(closer::run, by_closer);
        socket_program<std::string> second(client::run, by_client);
        REQUIRE(here->start(first, fds.near.release()));
        REQUIRE(here->start(second, fds.far.release()));
        here->run();
    }
    CHECK(by_client == "the end");
    CHECK(by_closer == "heard");
}

TEST_CASE("clearing does not forget the end of a connection, which is told once")
{
    struct reader {
        static task<> run(vk::socket& io, std::string& got)
        {
            io.set_timeout(2s);
            got = *co_await io.readline();
            io.clear();
            // The last read is a short one.
            std::vector<char> rest(4 * block);
            std::size_t count = co_await io.read(std::span(rest));
            CHECK(count == 3 * block);
            CHECK_FALSE(co_await io.readline());
        }
    };
    struct finisher {
        static task<> run(int, tcp_pair& fds)
        {
            co_await vk::sleep_for(2ms); // the reader waits by then
            vk::test::write_all(fds.far.get(), "line\n" + std::string(3 * block, '.'));
            half_close(fds.far);
        }
    };
    tcp_pair fds;
    std::string got;
    kernel_here here;
    socket_program<std::string> reading(reader::run, got, fd_kind::tcp);
    vk::test::fd_program<tcp_pair> finishing(finisher::run, fds);
    REQUIRE(here->start(reading, fds.near.release()));
    REQUIRE(here->start(finishing));
    here->run();
    CHECK(here->count().processes_failed == 0);
    CHECK(got == "line\n");
}

TEST_CASE("closing the input of an fd ends it for good")
{
    struct closer {
        static task<> run(vk::socket& io, std::string& got)
        {
            auto line = co_await io.readline();
            got = line ? std::string(*line) : "none";
            io.rx_close();
            CHECK(io.nodata());
            line = co_await io.readline();
            CHECK_FALSE(line);
            co_await io.write("bye");
        }
    };
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "first\nsecond\n");
    std::string got;
    run_socket(closer::run, fds.near, got);
    CHECK(got == "first\n");
    CHECK(vk::test::read_to_end(fds.far.get()) == "bye");
}

TEST_CASE("a hang-up on an fd closes the output")
{
    struct hanger {
        static task<> run(vk::socket& io, std::string& got)
        {
            co_await io.write("all");
            co_await io.hup();
            CHECK(io.hanged());
            co_await read_into(&io, 10, &got);
            throw vk::error(EPIPE, "no more output");
        }
    };
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "ok");
    half_close(fds.far);
    std::string got;
    run_socket(hanger::run, fds.near, got);
    CHECK(got == "ok");
    CHECK(vk::test::read_to_end(fds.far.get()) == "all");
}

// --- waiting -------------------------------------------------------------------------------------------

namespace {

struct waits {
    std::string said;
    std::chrono::milliseconds timeout{0};
    bool cancel = false;
    bool fill = false; // block on output
    task<> (*operation)(vk::socket*) = nullptr;
};

task<> try_operation(vk::socket* io, waits* what)
{
    try {
        co_await what->operation(io);
        what->said += "done";
    } catch (const vk::timed_out&) {
        what->said += "late";
    } catch (const vk::cancelled&) {
        what->said += "cancelled";
    }
}

task<> fill_pipe(vk::socket* io)
{
    // Until nothing more is taken: then the ring is full too.
    io->set_timeout(2ms);
    try {
        for (;;)
            co_await io->write(text_of(block));
    } catch (const vk::timed_out&) {
    }
    io->set_timeout(0ms);
}

task<> end_operation(vk::socket& io, waits& what)
{
    if (what.fill)
        co_await fill_pipe(&io);
    io.set_timeout(what.timeout);
    thread_handle one = spawn(try_operation, &io, &what);
    co_await vk::sleep_for(1ms);
    if (what.cancel) {
        CHECK(what.said.empty());
        one.cancel();
    }
    co_await one.join();
    if (what.fill)
        throw vk::error(EPIPE, "nobody reads");
    io.set_timeout(0ms);
    co_await io.write("still here");
}

task<> op_read(vk::socket* io)
{
    char bytes[4];
    std::size_t count = co_await io->read(std::span(bytes));
    CHECK(count == 99);
}
task<> op_read_large(vk::socket* io)
{
    std::string bytes(2 * block, '\0');
    std::size_t count = co_await io->read(std::span(bytes));
    CHECK(count == 99);
}
task<> op_readline(vk::socket* io)
{
    auto line = co_await io->readline();
    CHECK_FALSE(line);
}
task<> op_look(vk::socket* io)
{
    std::string_view seen = co_await io->look(4);
    CHECK(seen.size() == 99);
}
task<> op_poll_read(vk::socket* io)
{
    std::size_t count = co_await io->poll_read();
    CHECK(count == 99);
}
task<> op_readable(vk::socket* io)
{
    co_await io->readable();
}
task<> op_read_hup(vk::socket* io)
{
    co_await io->read_hup();
}
task<> op_write(vk::socket* io)
{
    co_await io->write(text_of(2 * block));
}
task<> op_print(vk::socket* io)
{
    std::string text = text_of(2 * block);
    co_await io->print("{}", text);
}
task<> op_flush(vk::socket* io)
{
    co_await io->write("x");
    co_await io->flush();
}
task<> op_writable(vk::socket* io)
{
    co_await io->writable();
}
task<> op_tx_close(vk::socket* io)
{
    co_await io->write("x");
    co_await io->tx_close();
}

} // namespace

TEST_CASE("each operation that blocks on an fd is ended by a cancellation and by a timeout")
{
    auto operation =
        GENERATE(op_read, op_read_large, op_readline, op_look, op_poll_read, op_readable,
                 op_read_hup, op_write, op_print, op_flush, op_writable, op_tx_close);
    bool cancel = GENERATE(false, true);
    bool writes = operation == op_write || operation == op_print || operation == op_flush ||
                  operation == op_writable || operation == op_tx_close;
    waits what;
    what.operation = operation;
    what.cancel = cancel;
    what.fill = writes;
    if (!cancel)
        what.timeout = 3ms;
    socket_pair fds;
    run_socket(end_operation, fds.near, what);
    CHECK(what.said == (cancel ? "cancelled" : "late"));
    if (!writes)
        CHECK(vk::test::read_to_end(fds.far.get()) == "still here");
}

TEST_CASE("readable and writable ask the system, and do not wait for what is there")
{
    struct asker {
        static task<> run(vk::socket& io, std::string& got)
        {
            co_await io.writable();
            co_await io.readable();
            char bytes[8];
            ssize_t count = ::read(io.rx_fd(), bytes, sizeof(bytes)); // by other means
            got.assign(bytes, count > 0 ? static_cast<std::size_t>(count) : 0);
            thread_handle later = spawn(wait, &io, &got);
            co_await vk::sleep_for(2ms);
            CHECK(got == "now");
            later.cancel();
            co_await later.join();
        }
        static task<> wait(vk::socket* io, std::string* got)
        {
            try {
                co_await io->readable();
                *got += "more";
            } catch (const vk::cancelled&) {
            }
        }
    };
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "now");
    std::string got;
    run_socket(asker::run, fds.near, got);
    CHECK(got == "now");
}

TEST_CASE("poll_read on an fd says how many bytes came, and 0 at the end")
{
    struct poller {
        static task<> run(vk::socket& io, std::vector<std::size_t>& counts)
        {
            std::size_t count = co_await io.poll_read();
            counts.push_back(count);
            std::string got;
            co_await read_into(&io, count, &got);
            CHECK(got == "12345");
            count = co_await io.poll_read();
            counts.push_back(count);
            CHECK(io.nodata());
        }
    };
    socket_pair fds;
    vk::test::write_all(fds.far.get(), "12345");
    half_close(fds.far);
    std::vector<std::size_t> counts;
    run_socket(poller::run, fds.near, counts);
    CHECK(counts == std::vector<std::size_t>{5, 0});
}

TEST_CASE("a reader and a writer of one fd do not wait for each other")
{
    struct duplex {
        static task<> write(vk::socket* io, transfer* what)
        {
            co_await io->write(what->sent);
            co_await io->tx_close();
        }
        static task<> run(vk::socket& io, transfer& what)
        {
            thread_handle writer = spawn(write, &io, &what);
            for (;;) {
                std::size_t before = what.got.size();
                co_await read_into(&io, 10'000, &what.got);
                if (what.got.size() - before < 10'000)
                    break;
            }
            co_await writer.join();
        }
    };
    transfer a;
    transfer b;
    a.sent = text_of(1'500'000, 1);
    b.sent = text_of(1'700'000, 2);
    socket_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    {
        kernel_here here;
        socket_program<transfer> first(duplex::run, a);
        socket_program<transfer> second(duplex::run, b);
        REQUIRE(here->start(first, fds.near.release()));
        REQUIRE(here->start(second, fds.far.release()));
        here->run();
    }
    bool same = a.got == b.sent && b.got == a.sent;
    CHECK(same);
}

TEST_CASE("a writer is woken by room though its reader was told of the end before")
{
    struct both {
        static task<> read(vk::socket* io, bool* ended)
        {
            char byte;
            std::size_t count = co_await io->read(std::span(&byte, 1));
            *ended = count == 0;
        }
        static task<> run(vk::socket& io, transfer& what)
        {
            thread_handle reader = spawn(read, &io, &what.readable_end);
            co_await io.write(what.sent);
            co_await io.flush();
            co_await reader.join();
        }
    };
    struct client {
        static task<> run(vk::socket& io, transfer& what)
        {
            co_await vk::sleep_for(2ms);
            co_await io.tx_close(); // the reader is told, while the writer waits for room
            co_await vk::sleep_for(2ms);
            for (;;) {
                std::size_t before = what.got.size();
                co_await read_into(&io, 10'000, &what.got);
                if (what.got.size() - before < 10'000)
                    co_return;
            }
        }
    };
    transfer what;
    what.sent = text_of(1'000'000);
    socket_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    vk::kernel_options options = vk::test::kernel_options_here();
    kernel_here here(options);
    socket_program<transfer> first(both::run, what);
    socket_program<transfer> second(client::run, what);
    REQUIRE(here->start(first, fds.near.release()));
    REQUIRE(here->start(second, fds.far.release()));
    here->run();
    bool same = what.got == what.sent;
    CHECK(same);
    CHECK(what.readable_end);
}

// --- fds of other kinds --------------------------------------------------------------------------------

namespace {

struct ends {
    int in = -1;
    int out = -1;
    std::string got;
    bool nested = false;
};

task<> copy(int, ends& on)
{
    vk::descriptor from(on.in);
    vk::descriptor to(on.out);
    vk::socket io(from, to);
    CHECK(io.rx_fd() == on.in);
    CHECK(io.tx_fd() == on.out);
    CHECK_FALSE(io.poll_hup());
    std::size_t lines = 0;
    co_await echo(io, lines);
    CHECK(io.poll_hup()); // of a file nothing tells but a read
    co_await io.flush();
    on.got = std::to_string(lines);
}

// Runs copy() on two fds that stay the test's.
void run_copy(ends& on)
{
    kernel_here here;
    vk::test::fd_program<ends> what(copy, on);
    REQUIRE(here->start(what));
    here->lend(on.in);
    here->lend(on.out);
    here->run();
}

unique_fd file_with(std::string_view text)
{
    unique_fd file(::memfd_create("test", MFD_CLOEXEC));
    REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

} // namespace

TEST_CASE("a socket reads one fd and writes another: pipes")
{
    int in[2];
    int out[2];
    REQUIRE(vk::os::pipe(in) == 0);
    REQUIRE(vk::os::pipe(out) == 0);
    REQUIRE(::write(in[1], "a\nb\n", 4) == 4);
    ::close(in[1]);
    ends on{in[0], out[1], {}, false};
    run_copy(on);
    CHECK(on.got == "2");
    ::close(out[1]);
    CHECK(vk::test::read_to_end(out[0]) == "Line 0: a\nLine 1: b\n");
    ::close(out[0]);
    ::close(in[0]);
}

TEST_CASE("a regular file never blocks, and is read to its end")
{
    std::string text;
    for (int i = 0; i < 5000; ++i)
        text += "a line of the file\n";
    unique_fd from = file_with(text);
    unique_fd to = file_with("");
    ends on{from.get(), to.get(), {}, false};
    run_copy(on);
    CHECK(on.got == "5000");
    CHECK(::lseek(to.get(), 0, SEEK_CUR) > static_cast<off_t>(text.size()));
}

// --- files that the system sends -------------------------------------------------------------------------

namespace {

struct sending {
    int file;
    std::uint64_t offset;
    std::uint64_t bytes;
    transfer passed{};
    int error = 0;
    bool others_ran = false;
};

task<> note_turn(sending* what)
{
    what->others_ran = true;
    co_return;
}

task<> send_file_between(vk::socket& io, sending& what)
{
    thread_handle other = spawn(note_turn, &what);
    co_await io.write("head ");
    try {
        co_await io.send_file(what.file, what.offset, what.bytes);
        CHECK(what.others_ran); // it was not all done in one dispatch
        co_await io.write(" tail");
        co_await io.tx_close();
    } catch (const vk::error& e) {
        what.error = e.code().value();
        io.rx_close();
    }
    co_await other.join();
}

task<> receive_file(vk::socket& io, sending& what)
{
    co_await receive_in_pieces(io, what.passed);
}

// What of `file` arrives, and the counters.
counters pass_file(sending& what)
{
    auto pair = tcp_pair();
    int little = 16 * 1024;
    ::setsockopt(pair.near.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    kernel_here here;
    socket_program<sending> sender(send_file_between, what, fd_kind::tcp);
    socket_program<sending> receiver(receive_file, what, fd_kind::tcp);
    ::fcntl(pair.far.get(), F_SETFL, O_NONBLOCK);
    REQUIRE(here->start(sender, pair.near.release()));
    REQUIRE(here->start(receiver, pair.far.release()));
    here->run();
    return here->count();
}

} // namespace

TEST_CASE("a part of a file is sent between what was written before and after it")
{
    std::string text = text_of(9'000'000);
    unique_fd file = file_with(text);
    sending what{file.get(), 5, text.size() - 10};
    counters count = pass_file(what);
    CHECK(what.error == 0);
    bool same = what.passed.got == "head " + text.substr(5, text.size() - 10) + " tail";
    CHECK(same);
    CHECK(count.bytes_out == text.size());
    CHECK(count.eagain > 0); // the system was full, and the process waited for room
    CHECK(count.processes_failed == 0);
}

TEST_CASE("a file that ends before what is to be sent of it is EIO, behind what there was")
{
    std::string text = text_of(1000);
    unique_fd file = file_with(text);
    sending what{file.get(), 0, text.size() + 1};
    (void)pass_file(what);
    CHECK(what.error == EIO);
    CHECK(what.passed.got == "head " + text);
}

TEST_CASE("a file cannot be sent from one socket of a process to another")
{
    int said = 0;
    vk::run_local(
        [](int& said) -> task<> {
            vk::socket a;
            vk::socket b;
            bind(a, b);
            try {
                co_await a.send_file(0, 0, 1);
            } catch (const vk::error& e) {
                said = e.code().value();
            }
        },
        said);
    CHECK(said == EOPNOTSUPP);
}

TEST_CASE("a file whose reads are short all along is read to its end")
{
    // The system hands out files of /proc in pieces smaller than what is asked for.
    unique_fd from(::open("/proc/kallsyms", O_RDONLY | O_CLOEXEC));
    if (from.get() < 0)
        return;
    char bytes[64 * 1024];
    ssize_t first = ::read(from.get(), bytes, sizeof(bytes));
    ssize_t second = ::read(from.get(), bytes, sizeof(bytes));
    if (first <= 0 || second <= 0)
        return;
    ::lseek(from.get(), 0, SEEK_SET);
    unique_fd to(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ends on{from.get(), to.get(), {}, false};
    run_copy(on);
    CHECK(std::stoul(on.got) > 100);
}

TEST_CASE("closing the output of an fd that is no socket closes the fd")
{
    struct closer {
        static task<> close(ends& on)
        {
            vk::descriptor from(on.in);
            vk::descriptor to(on.out);
            vk::socket io(from, to);
            co_await io.write("all");
            co_await io.tx_close();
            if (!on.nested)
                co_await wait_for_client(io);
        }
        static task<> wait_for_client(vk::socket& io)
        {
            char byte;
            std::size_t count = co_await io.read(std::span(&byte, 1));
            CHECK(count == 0);
        }
        static task<> run(int, ends& on)
        {
            co_await close(on);
            if (!on.nested)
                co_return;
            // The descriptor of the fd is gone, the fd is closed all the same.
            vk::descriptor from(on.in);
            vk::descriptor none(-1);
            vk::socket io(from, none);
            co_await wait_for_client(io);
        }
    };
    bool nested = GENERATE(false, true);
    int pipe[2];
    REQUIRE(vk::os::pipe(pipe) == 0);
    socket_pair control;
    ends on{control.near.get(), pipe[1], {}, nested};
    std::string got;
    {
        kernel_here here;
        vk::test::fd_program<ends> what(closer::run, on);
        REQUIRE(here->start(what, control.near.release()));
        here->lend(pipe[1]);
        // The client reads the pipe to its end, then closes: without the former the process would not end.
        struct client {
            static task<> run(int, ends& far)
            {
                vk::descriptor pipe(far.in);
                vk::descriptor control(far.out);
                vk::socket io(pipe, control);
                co_await read_into(&io, 100, &far.got);
                co_await io.tx_close();
            }
        };
        ::fcntl(control.far.get(), F_SETFL, O_NONBLOCK);
        ends far{pipe[0], control.far.get(), {}, false};
        vk::test::fd_program<ends> other(client::run, far);
        REQUIRE(here->start(other, pipe[0]));
        here->lend(control.far.get());
        here->run();
        got = far.got;
    }
    CHECK(got == "all");
}

// --- deductions ----------------------------------------------------------------------------------------

TEST_CASE("on an exact stream a short read is not followed by one that finds nothing")
{
    struct reader {
        static task<> run(vk::socket& io, std::string& got)
        {
            char bytes[3];
            std::size_t count = co_await io.read(std::span(bytes));
            got.assign(bytes, count);
            io.set_timeout(1ms);
            try {
                count = co_await io.read(std::span(bytes));
                CHECK(count == 99);
            } catch (const vk::timed_out&) {
            }
        }
    };
    tcp_pair fds;
    vk::test::write_all(fds.far.get(), "abc");
    std::string got;
    counters count = run_socket(reader::run, fds.near, got, fd_kind::tcp);
    CHECK(got == "abc");
    CHECK(count.reads == 1);
    CHECK(count.eagain == 0);

    socket_pair unix_fds;
    vk::test::write_all(unix_fds.far.get(), "abc");
    count = run_socket(reader::run, unix_fds.near, got, fd_kind::unix_socket);
    CHECK(got == "abc");
    CHECK(count.eagain == 1); // there it has to be asked
}

TEST_CASE("an urgent mark in a TCP stream loses no byte")
{
    struct ends {
        tcp_pair fds;
        std::string got;
    };
    struct reader {
        static task<> run(vk::socket& io, ends& all)
        {
            io.set_timeout(2s);
            while (auto line = co_await io.readline())
                all.got += *line;
        }
    };
    struct client {
        static task<> run(int, ends& all)
        {
            int fd = all.fds.far.get();
            co_await vk::sleep_for(1ms);
            vk::test::write_all(fd, "before ");
            ::send(fd, "!", 1, MSG_OOB);
            vk::test::write_all(fd, "after\n");
            for (int i = 0; i < 1'000 && all.got.empty(); ++i) // nothing more tells of it
                co_await vk::sleep_for(1ms);
            CHECK(all.got == "before after\n");
            vk::test::write_all(fd, "and on\n");
            all.fds.reset();
        }
    };
    ends all;
    {
        kernel_here here;
        socket_program<ends> what(reader::run, all, fd_kind::tcp);
        vk::test::fd_program<ends> other(client::run, all);
        REQUIRE(here->start(what, all.fds.near.release()));
        REQUIRE(here->start(other));
        here->run();
    }
    CHECK(all.got == "before after\nand on\n");
}

TEST_CASE("an fd that never blocks is never registered, one that blocks is registered once")
{
    std::size_t lines = 0;
    tcp_pair ready;
    vk::test::write_all(ready.far.get(), "a\n");
    ready.far.reset();
    counters count = run_socket(echo, ready.near, lines);
    if (vk::kernel::make(vk::test::kernel_options_here())->poller_name() != "epoll")
        return;
    CHECK(count.registrations == 0);

    ping what{50, {}};
    tcp_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    kernel_here here;
    socket_program<std::size_t> server(echo, lines, fd_kind::tcp);
    socket_program<ping> client(ask, what, fd_kind::tcp);
    REQUIRE(here->start(server, fds.near.release()));
    REQUIRE(here->start(client, fds.far.release()));
    here->run();
    CHECK(here->count().registrations == 2);
}

// --- memory --------------------------------------------------------------------------------------------

TEST_CASE("lines between two processes need neither the global heap nor new pages")
{
    struct client {
        static task<> run(vk::socket& io, std::size_t& made)
        {
            vk::heap& heap = process::current().heap();
            for (int i = 0; i < 10; ++i) { // what is made once
                co_await io.write("warm up\n");
                auto line = co_await io.readline();
                if (!line)
                    co_return;
            }
            std::size_t pages = heap.pages_high_water();
            auto before = vk::test::allocations_now();
            for (int i = 0; i < 500; ++i) {
                co_await io.write("a line\n");
                auto line = co_await io.readline();
                if (!line)
                    break;
            }
            made = vk::test::allocations_now().made - before.made;
            CHECK(heap.pages_high_water() == pages);
            CHECK(pages == 1);
            co_await io.tx_close();
        }
    };
    tcp_pair fds;
    ::fcntl(fds.far.get(), F_SETFL, O_NONBLOCK);
    std::size_t lines = 0;
    std::size_t made = 99;
    kernel_here here;
    socket_program<std::size_t> server(echo, lines, fd_kind::tcp);
    socket_program<std::size_t> asking(client::run, made, fd_kind::tcp);
    REQUIRE(here->start(server, fds.near.release()));
    REQUIRE(here->start(asking, fds.far.release()));
    here->run();
    CHECK(lines == 510);
    CHECK(made == 0);
    CHECK(here->count().heap_pages_high_water == 1);
}

TEST_CASE("a text that was printed past the ring leaves nothing of itself in a block")
{
    struct printer {
        static task<> run(vk::socket& io, std::size_t& dirty)
        {
            std::string secret(block + 5000, 's');
            std::string_view start = "start";
            co_await io.print("{}", start);
            co_await io.print("{}", secret); // tried in the ring first
            co_await io.flush();
            co_await vk::sleep_for(1ms); // the block goes back
            vk::lender& blocks = process::current().shared().blocks;
            std::vector<std::byte*> all;
            for (std::byte* one; all.size() < 4 && (one = blocks.lend());) {
                all.push_back(one);
                dirty +=
                    !std::all_of(one, one + block, [](std::byte b) { return b == std::byte{0}; });
            }
            for (std::byte* one : all)
                blocks.take_back(one, block);
        }
    };
    socket_pair fds;
    std::size_t dirty = 0;
    run_socket(printer::run, fds.near, dirty);
    CHECK(dirty == 0);
    CHECK(vk::test::read_to_end(fds.far.get()).size() == 5 + block + 5000);
}
