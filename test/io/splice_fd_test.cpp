// Splices between descriptors, where the system moves the bytes: it is told by the reads that there were not.

#include "io/socket_pair.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/owned_fd.hpp>
#include <vk/proc/timeout.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using vk::counters;
using vk::fd_kind;
using vk::task;
using vk::test::kernel_here;
using vk::test::read_into;
using vk::test::socket_program;
using vk::test::text_of;
using vk::test::unique_fd;

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

/// Of either kind of stream, and what a kernel is told of it.
struct stream {
    unique_fd source; // is written to, and
    unique_fd sink;   // is read from; neither blocks
    fd_kind kind;
};

stream make_pipe(int bytes = 1 << 20)
{
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        throw std::runtime_error("pipe2");
    ::fcntl(fds[0], F_SETPIPE_SZ, bytes);
    return {unique_fd(fds[1]), unique_fd(fds[0]), fd_kind::other};
}

stream make_unix()
{
    vk::test::socket_pair both;
    ::fcntl(both.far.get(), F_SETFL, O_NONBLOCK);
    return {std::move(both.near), std::move(both.far), fd_kind::unix_socket};
}

stream make_tcp()
{
    vk::test::tcp_pair both;
    ::fcntl(both.far.get(), F_SETFL, O_NONBLOCK);
    return {std::move(both.near), std::move(both.far), fd_kind::tcp};
}

/// A file that begins with `text`, at its start.
stream make_file(const std::string& text)
{
    unique_fd file(::memfd_create("test", MFD_CLOEXEC));
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error("write");
    ::lseek(file.get(), 0, SEEK_SET);
    return {unique_fd(), std::move(file), fd_kind::other};
}

/// `from` with all of `text` in it, and ended.
stream filled(stream from, const std::string& text)
{
    REQUIRE(::write(from.source.get(), text.data(), text.size()) ==
            static_cast<ssize_t>(text.size()));
    from.source.reset();
    return from;
}

struct moving {
    unique_fd to = unique_fd();
    fd_kind to_kind = fd_kind::other;
    std::uint64_t most = vk::socket::everything;
    std::string head{};     // written before
    std::string tail{};     // and after
    std::size_t begins = 0; // bytes of the input that are looked at before
    std::uint64_t moved = 0;
    std::string rest{}; // of the input
    int error = 0;
    int timeouts = 0; // so often is it begun anew
};

task<> splice_with_timeouts(vk::socket& in, vk::socket& out, moving& what)
{
    while (what.timeouts > 0) {
        try {
            what.moved = co_await vk::timeout(2ms, out.write_splice(in, what.most));
            co_return;
        } catch (const vk::timed_out&) {
            --what.timeouts;
        }
    }
    what.moved = co_await out.write_splice(in, what.most);
}

task<> move(vk::socket& in, moving& what)
{
    co_await vk::owned_fd::room();
    vk::owned_fd owned(what.to.release());
    vk::descriptor to(owned.number(), what.to_kind);
    vk::socket out(to, to);
    co_await out.write(what.head);
    (void)co_await in.look(what.begins);
    try {
        co_await splice_with_timeouts(in, out, what);
    } catch (const vk::error& e) {
        what.error = e.code().value();
        in.clear();
    }
    co_await read_into(&in, 1 << 20, &what.rest);
    if (!what.tail.empty())
        co_await out.write(what.tail);
    if (what.error == 0 || !what.tail.empty())
        co_await out.flush();
}

/// Run move() from `from` to `to`; returns what was counted.
counters run_move(stream& from, stream& to, moving& what)
{
    what.to = std::move(to.source);
    what.to_kind = to.kind;
    return vk::test::run_socket(move, from.sink, what, from.kind);
}

std::string all_of(stream& to)
{
    ::fcntl(to.sink.get(), F_SETFL, 0);
    return vk::test::read_to_end(to.sink.get());
}

void check_moved(stream from, stream to, const std::string& text)
{
    moving what;
    counters count = run_move(from, to, what);
    CHECK(what.error == 0);
    CHECK(what.moved == text.size());
    CHECK(count.bytes_in == text.size());
    CHECK(count.bytes_out == text.size());
    CHECK(count.reads <= 1); // the end, where the output has no room
    CHECK(all_of(to) == text);
}

} // namespace

TEST_CASE("the system moves what one pipe or connection has to another, and what a file has")
{
    std::string text = text_of(60'000);
    check_moved(filled(make_pipe(), text), make_tcp(), text);
    check_moved(filled(make_pipe(), text), make_unix(), text);
    check_moved(filled(make_tcp(), text), make_pipe(), text);
    check_moved(filled(make_unix(), text), make_pipe(), text);
    check_moved(filled(make_pipe(), text), make_pipe(), text);
    check_moved(make_file(text), make_tcp(), text);
    check_moved(make_file(text), make_unix(), text);
    check_moved(make_file(text), make_pipe(), text);
}

TEST_CASE("what the rings hold goes before what the system moves")
{
    std::string text = text_of(60'000);
    auto check = [&](stream from, stream to) {
        moving what;
        what.head = "head ";
        what.begins = 3;
        counters count = run_move(from, to, what);
        CHECK(what.moved == text.size());
        CHECK(count.reads == 1); // a block
        CHECK(all_of(to) == "head " + text);
    };
    check(filled(make_pipe(), text), make_tcp());
    check(filled(make_tcp(), text), make_pipe());
    check(make_file(text), make_unix());
}

TEST_CASE("the system moves as many bytes as were asked for, and leaves the others to be read")
{
    std::string text = text_of(60'000);
    auto check = [&](stream from, stream to, std::size_t most) {
        moving what;
        what.most = most;
        counters count = run_move(from, to, what);
        CHECK(what.moved == most);
        CHECK(all_of(to) == text.substr(0, most));
        CHECK(what.rest == text.substr(most));
        CHECK((count.writes == 1) == (most > 0));
    };
    for (std::size_t most : {std::size_t{0}, std::size_t{5}, block, block + 1, 3 * block + 7}) {
        check(filled(make_pipe(), text), make_tcp(), most);
        check(filled(make_unix(), text), make_pipe(), most);
        check(filled(make_pipe(), text), make_pipe(), most);
        check(make_file(text), make_unix(), most);
    }
}

TEST_CASE("a file is sent from its own position on, which moves")
{
    std::string text = text_of(60'000);
    stream from = make_file(text);
    stream to = make_unix();
    ::lseek(from.sink.get(), 5, SEEK_SET);
    moving what;
    what.most = 50'000;
    (void)run_move(from, to, what);
    CHECK(what.moved == 50'000);
    CHECK(all_of(to) == text.substr(5, 50'000));
    CHECK(what.rest == text.substr(50'005));
}

TEST_CASE("a file that the system does not send goes by the rings")
{
    unique_fd file(::open("/proc/filesystems", O_RDONLY | O_CLOEXEC));
    std::string text = vk::test::read_to_end(file.get());
    ::lseek(file.get(), 0, SEEK_SET);
    stream from{unique_fd(), std::move(file), fd_kind::other};
    stream to = make_unix();
    moving what;
    (void)run_move(from, to, what);
    CHECK(what.moved == text.size());
    CHECK(all_of(to) == text);
}

TEST_CASE(
    "an output that is gone fails what the system moves, and what it did not take is still there")
{
    std::string text = text_of(60'000);
    auto check = [&](stream from, stream to) {
        to.sink.reset();
        moving what;
        (void)run_move(from, to, what);
        CHECK(what.error == EPIPE);
        CHECK(what.rest == text);
    };
    check(filled(make_pipe(), text), make_unix());
    check(filled(make_unix(), text), make_pipe());
    check(filled(make_tcp(), text), make_pipe());
    check(filled(make_pipe(), text), make_pipe());
}

TEST_CASE("an input that was reset fails what the system moves")
{
    vk::test::tcp_pair broken;
    broken.reset();
    stream from{unique_fd(), std::move(broken.near), fd_kind::tcp};
    stream to = make_pipe();
    moving what;
    what.tail = "still good";
    (void)run_move(from, to, what);
    CHECK(what.error == ECONNRESET);
    CHECK(all_of(to) == "still good");
}

// --- while one side waits for the other -----------------------------------------------------------------

namespace {

struct feed {
    std::string text;
    std::string got{};
};

task<> write_in_pieces(vk::socket& io, feed& what)
{
    std::string_view left = what.text;
    for (std::size_t piece = 1; !left.empty(); piece = piece * 7 % 90'001) {
        std::string_view some = left.substr(0, piece);
        co_await io.write(some);
        co_await io.flush();
        left.remove_prefix(some.size());
        if (piece % 4 == 0)
            co_await vk::sleep_for(200us);
    }
}

task<> read_slowly(vk::socket& io, feed& what)
{
    std::size_t before = 0;
    std::size_t piece = 1;
    do {
        before = what.got.size();
        co_await read_into(&io, piece, &what.got);
        if (piece % 3 == 0)
            co_await vk::sleep_for(300us);
        piece = piece * 5 % 60'013;
    } while (what.got.size() > before);
}

// What is written to `from` comes out of `to`, each of them and what moves it being a process.
counters run_line(stream from, stream to, moving& what, feed& line)
{
    int little = 8 * 1024;
    ::setsockopt(to.source.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    what.to = std::move(to.source);
    what.to_kind = to.kind;
    kernel_here here;
    socket_program<feed> writer(write_in_pieces, line, from.kind);
    socket_program<moving> mover(move, what, from.kind);
    socket_program<feed> reader(read_slowly, line, to.kind);
    REQUIRE(here->start(writer, from.source.release()));
    REQUIRE(here->start(mover, from.sink.release()));
    REQUIRE(here->start(reader, to.sink.release()));
    here->run();
    CHECK(here->count().processes_failed == 0);
    return here->count();
}

void check_line(stream from, stream to, int timeouts)
{
    feed line{text_of(1'500'000)};
    moving what;
    what.timeouts = timeouts;
    (void)run_line(std::move(from), std::move(to), what, line);
    CHECK(what.error == 0);
    bool same = line.got == line.text;
    CHECK(same);
}

} // namespace

TEST_CASE("the system moves bytes as they come, and waits for room")
{
    constexpr int page = 4096;
    check_line(make_pipe(page), make_tcp(), 0);
    check_line(make_pipe(), make_unix(), 0);
    check_line(make_tcp(), make_pipe(page), 0);
    check_line(make_unix(), make_pipe(), 0);
    check_line(make_pipe(page), make_pipe(4 * page), 0);
    check_line(make_pipe(page), make_pipe(page), 0); // the one is empty when the other is full
}

TEST_CASE("what the system moves is whole though the splice is cancelled again and again")
{
    constexpr int page = 4096;
    check_line(make_pipe(page), make_tcp(), 50);
    check_line(make_tcp(), make_pipe(page), 50);
    check_line(make_unix(), make_pipe(), 50);
}

namespace {

task<> move_nothing(vk::socket& in, moving& what)
{
    co_await vk::owned_fd::room();
    vk::owned_fd owned(what.to.release());
    vk::descriptor to(owned.number(), what.to_kind);
    vk::socket out(to, to);
    bool ended = false;
    try {
        co_await vk::timeout(20ms, out.write_splice(in));
    } catch (const vk::timed_out&) {
        ended = true;
    }
    CHECK(ended);
}

} // namespace

TEST_CASE("a splice for which there is nothing, or no room, does not ask again and again")
{
    auto check = [](stream from, stream to) {
        moving what;
        what.to = std::move(to.source);
        what.to_kind = to.kind;
        counters count = vk::test::run_socket(move_nothing, from.sink, what, from.kind);
        CHECK(count.writes <= 2);
        CHECK(count.reads <= 1);
        CHECK(count.eagain <= 1);
    };
    check(make_pipe(), make_tcp());
    check(make_tcp(), make_pipe());
    stream full = make_pipe(4096);
    REQUIRE(::write(full.source.get(), text_of(4096).data(), 4096) == 4096);
    stream from = make_unix();
    REQUIRE(::write(from.source.get(), "abc", 3) == 3);
    check(std::move(from), std::move(full));
}
