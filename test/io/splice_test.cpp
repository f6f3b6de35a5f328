#include "io/socket_pair.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

#include <vk/base/error.hpp>
#include <vk/proc/owned_fd.hpp>
#include <vk/proc/timeout.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include <sys/socket.h>

using namespace std::chrono_literals;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::read_into;
using vk::test::text_of;

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

// Two pairs, and what moves from the first to the second:  source ──> in ══> out ──> sink
struct line_of_sockets {
    line_of_sockets()
    {
        bind(source, in);
        bind(out, sink);
    }

    vk::socket source;
    vk::socket in;
    vk::socket out;
    vk::socket sink;
};

task<> write_and_close(vk::socket* to, std::string text)
{
    co_await to->write(text);
    co_await to->tx_close();
}

task<> splice_some(vk::socket* from, vk::socket* to, std::uint64_t bytes, std::uint64_t* moved,
                   std::string* failed)
{
    try {
        *moved = co_await to->write_splice(*from, bytes);
    } catch (const vk::error& e) {
        *failed = e.what();
    }
}

} // namespace

TEST_CASE("what a socket receives is written to another, in order and to its end")
{
    run_local([]() -> task<> {
        for (std::size_t bytes : {std::size_t{0}, std::size_t{1}, block, 10 * block + 17}) {
            line_of_sockets all;
            std::string text = text_of(bytes);
            std::string got;
            thread_handle writing = spawn(write_and_close, &all.source, text);
            thread_handle reading = spawn(read_into, &all.sink, bytes + 1, &got);
            std::uint64_t moved = co_await all.out.write_splice(all.in);
            co_await all.out.tx_close();
            co_await reading.join();
            co_await writing.join();
            CHECK(moved == bytes);
            CHECK(got == text);
            CHECK(all.in.nodata());
        }
    });
}

TEST_CASE("a splice takes as many bytes as it was asked for, and leaves the others to be read")
{
    run_local([]() -> task<> {
        for (std::size_t bytes : {std::size_t{0}, std::size_t{5}, block + 3, 3 * block}) {
            line_of_sockets all;
            std::string text = text_of(bytes + 10);
            std::string got;
            std::string rest;
            thread_handle writing = spawn(write_and_close, &all.source, text);
            thread_handle reading = spawn(read_into, &all.sink, bytes, &got);
            std::uint64_t moved = co_await all.out.write_splice(all.in, bytes);
            CHECK(moved == bytes);
            co_await read_into(&all.in, 100, &rest);
            co_await reading.join();
            co_await writing.join();
            CHECK(got + rest == text);
            CHECK(rest.size() == 10);
        }
    });
}

TEST_CASE("a splice waits for input, and then for room, as often as it must")
{
    run_local([]() -> task<> {
        line_of_sockets all;
        std::uint64_t moved = 0;
        std::string failed;
        thread_handle splicing =
            spawn(splice_some, &all.in, &all.out, vk::socket::everything, &moved, &failed);
        std::string sent;
        std::string got;
        for (int i = 0; i < 50; ++i) {
            std::string piece =
                text_of(700 * static_cast<std::size_t>(i) % 20'000 + 1, static_cast<unsigned>(i));
            sent += piece;
            thread_handle writing =
                spawn([](vk::socket* to, std::string text) -> task<> { co_await to->write(text); },
                      &all.source, piece);
            co_await vk::yield();
            std::size_t most = sent.size() - got.size();
            co_await read_into(&all.sink, i % 3 == 0 ? most / 2 : most, &got);
            co_await writing.join();
        }
        co_await all.source.tx_close();
        co_await read_into(&all.sink, sent.size() - got.size(), &got);
        co_await splicing.join();
        CHECK(failed.empty());
        CHECK(moved == sent.size());
        CHECK(got == sent);
    });
}

TEST_CASE("a splice that is cancelled has lost nothing, and another goes on from there")
{
    run_local([]() -> task<> {
        line_of_sockets all;
        std::string text = text_of(6 * block);
        std::string got;
        thread_handle writing = spawn(write_and_close, &all.source, text);
        for (int i = 0; i < 8; ++i) {
            bool ended = false;
            try {
                co_await vk::timeout(1ms, all.out.write_splice(all.in));
                ended = true;
            } catch (const vk::timed_out&) {
            }
            if (ended)
                break;
            co_await read_into(&all.sink, block / 2, &got);
        }
        thread_handle reading = spawn(read_into, &all.sink, text.size() - got.size(), &got);
        (void)co_await all.out.write_splice(all.in);
        co_await all.out.flush();
        co_await reading.join();
        co_await writing.join();
        CHECK(got == text);
    });
}

TEST_CASE("an output that is gone fails the splice; what it did not take is still there")
{
    run_local([]() -> task<> {
        vk::socket source;
        vk::socket in;
        bind(source, in);
        vk::socket out;
        {
            vk::socket sink;
            bind(out, sink);
        }
        co_await source.write("abc");
        std::uint64_t moved = 7;
        std::string failed;
        thread_handle splicing = spawn(splice_some, &in, &out, std::uint64_t{3}, &moved, &failed);
        co_await splicing.join();
        CHECK(failed == "splice: Broken pipe");
        std::string rest;
        co_await read_into(&in, 3, &rest);
        CHECK(rest == "abc");
    });
}

TEST_CASE("forward answers with what comes, byte for byte")
{
    vk::test::with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string text = text_of(3 * block);
        std::string got;
        thread_handle writing = spawn(write_and_close, &a, text);
        thread_handle reading = spawn(read_into, &a, text.size(), &got);
        std::uint64_t moved = co_await b.forward(1000);
        CHECK(moved == 1000);
        moved = co_await b.forward();
        CHECK(moved == text.size() - 1000);
        co_await reading.join();
        co_await writing.join();
        CHECK(got == text);
    });
}

TEST_CASE("read_splice takes as input what was written to another socket")
{
    run_local([]() -> task<> {
        vk::socket writer;
        vk::socket reader;
        co_await writer.write("hello\n");
        std::size_t there = co_await reader.read_splice(writer);
        CHECK(there == 6);
        auto line = co_await reader.readline();
        CHECK(*line == "hello\n");
        thread_handle writing = spawn(write_and_close, &writer, text_of(2 * block));
        std::string got;
        while (co_await reader.read_splice(writer) > 0)
            co_await read_into(&reader, 1000, &got);
        co_await writing.join();
        CHECK(got == text_of(2 * block));
    });
}

namespace {

struct relayed {
    vk::test::unique_fd to;
    vk::fd_kind kind;
    std::uint64_t moved = 0;
};

task<> relay(vk::socket& in, relayed& what)
{
    co_await vk::owned_fd::room();
    vk::owned_fd owned(what.to.release());
    vk::descriptor to(owned.number(), what.kind);
    vk::socket out(to, to);
    what.moved = co_await out.write_splice(in);
    co_await out.tx_close();
}

} // namespace

TEST_CASE("on descriptors, a splice moves all from one connection to another")
{
    auto check = [](auto from, auto to, vk::fd_kind kind) {
        std::string text = text_of(60'000);
        vk::test::write_all(from.far.get(), text);
        ::shutdown(from.far.get(), SHUT_WR);
        relayed what{std::move(to.near), kind};
        vk::test::run_socket(relay, from.near, what, kind);
        CHECK(what.moved == text.size());
        CHECK(vk::test::read_to_end(to.far.get()) == text);
    };
    check(vk::test::tcp_pair(), vk::test::tcp_pair(), vk::fd_kind::tcp);
    check(vk::test::socket_pair(), vk::test::socket_pair(), vk::fd_kind::unix_socket);
}
