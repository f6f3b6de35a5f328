#include "io/socket_pair.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::read_into;
using vk::test::text_of;
using vk::test::with_pair;

// The ends of a stream between two sockets: hang-ups that are message boundaries, closes that are for good, and
// a socket that goes.

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

// What becomes of an operation, in a thread of its own.
template <task<> (*operation)(vk::socket*)>
task<> outcome_of(vk::socket* io, std::string* said)
{
    try {
        co_await operation(io);
        *said += "done ";
    } catch (const vk::error& e) {
        *said += e.code() == std::errc::broken_pipe ? "broken " : "error ";
    }
}

task<> write_much(vk::socket* io)
{
    co_await io->write(text_of(2 * block));
}

task<> write_little(vk::socket* io)
{
    co_await io->write("x");
}

task<> flush(vk::socket* io)
{
    co_await io->flush();
}

task<> hang_up(vk::socket* io)
{
    co_await io->hup();
}

task<> close_output(vk::socket* io)
{
    co_await io->tx_close();
}

task<> read_hang_up(vk::socket* io)
{
    co_await io->read_hup();
}

task<> read_to_end(vk::socket* io, std::string* to)
{
    for (;;) {
        char bytes[100];
        std::size_t count = co_await io->read(std::span(bytes));
        to->append(bytes, count);
        if (count < sizeof(bytes))
            co_return;
    }
}

} // namespace

// --- tx_close ------------------------------------------------------------------------------------------

TEST_CASE("closing the output waits until the reader took all, and is then an end")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        co_await a.write("last words");
        CHECK_FALSE(a.hanged());
        thread_handle closer = spawn(outcome_of<close_output>, &a, &said);
        co_await vk::yield();
        co_await vk::yield();
        CHECK(said.empty());
        CHECK_FALSE(b.eof());
        std::string got;
        co_await read_to_end(&b, &got);
        CHECK(got == "last words");
        CHECK(b.eof());
        CHECK(b.nodata());
        co_await closer.join();
        CHECK(said == "done ");
        CHECK(a.hanged());
    });
}

TEST_CASE(
    "closing the output of a stream that nobody waits for ends it for a reader who comes later")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.tx_close();
        CHECK_FALSE(b.eof()); // it has not looked yet
        auto line = co_await b.readline();
        CHECK_FALSE(line);
        CHECK(b.eof());
        co_await a.tx_close(); // again
    });
}

TEST_CASE("closing the output wakes a reader who waits")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string got = "nothing yet";
        struct reader {
            static task<> run(vk::socket* io, std::string* got)
            {
                auto line = co_await io->readline();
                *got = line ? "a line" : "the end";
            }
        };
        thread_handle one = spawn(reader::run, &b, &got);
        co_await vk::yield();
        co_await a.tx_close();
        co_await one.join();
        CHECK(got == "the end");
    });
}

TEST_CASE("after the output was closed, writing is an error, and the other direction goes on")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        co_await a.tx_close();
        co_await outcome_of<write_little>(&a, &said);
        co_await outcome_of<write_much>(&a, &said);
        CHECK(said == "broken broken ");
        co_await b.write("still here\n");
        auto line = co_await a.readline();
        REQUIRE(line);
        CHECK(*line == "still here\n");
    });
}

// --- rx_close ------------------------------------------------------------------------------------------

TEST_CASE("closing the input drops what was not read, ends it, and breaks the writer's pipe")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("unread\nbytes\n");
        auto line = co_await b.readline();
        REQUIRE(line);
        b.rx_close();
        CHECK(b.eof());
        CHECK(b.nodata());
        line = co_await b.readline();
        CHECK_FALSE(line);
        std::string said;
        co_await outcome_of<write_little>(&a, &said);
        CHECK(said == "broken ");

        co_await b.write("other way\n");
        line = co_await a.readline();
        REQUIRE(line);
        CHECK(*line == "other way\n");
        b.rx_close(); // again
    });
}

TEST_CASE("closing the input wakes a writer who waits")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        thread_handle writer = spawn(outcome_of<write_much>, &a, &said);
        thread_handle flusher = spawn(outcome_of<flush>, &a, &said);
        co_await vk::yield();
        CHECK(said.empty());
        b.rx_close();
        co_await writer.join();
        co_await flusher.join();
        CHECK(said == "broken broken ");
    });
}

// --- a socket that goes --------------------------------------------------------------------------------

TEST_CASE("what was written by a socket that is gone can be read, then comes the end")
{
    run_local([]() -> task<> {
        vk::socket b;
        {
            vk::socket a;
            bind(a, b);
            co_await a.write("heritage\n");
        }
        CHECK(b.eof());
        CHECK_FALSE(b.nodata()); // there is something before the end
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "heritage\n");
        CHECK(b.nodata());
        line = co_await b.readline();
        CHECK_FALSE(line);
    });
}

TEST_CASE("writing to a socket that is gone is an error that stays")
{
    run_local([]() -> task<> {
        vk::socket b;
        {
            vk::socket a;
            bind(a, b);
        }
        std::string said;
        co_await outcome_of<write_little>(&b, &said);
        co_await outcome_of<write_little>(&b, &said);
        CHECK(said == "broken broken ");
        CHECK(b.hanged());
    });
}

TEST_CASE("a socket that goes wakes who waits at the other one")
{
    run_local([]() -> task<> {
        struct reader {
            static task<> run(vk::socket* io, std::string* said)
            {
                auto line = co_await io->readline();
                *said += line ? "line " : "end ";
            }
        };
        std::string said;
        vk::socket b;
        vk::socket c;
        std::optional<vk::socket> a(std::in_place);
        std::optional<vk::socket> d(std::in_place);
        bind(*a, b);
        bind(c, *d);
        thread_handle reading = spawn(reader::run, &b, &said);
        thread_handle writing = spawn(outcome_of<write_much>, &c, &said);
        co_await vk::yield();
        CHECK(said.empty());
        a.reset();
        d.reset();
        co_await reading.join();
        co_await writing.join();
        CHECK(said == "end broken ");
    });
}

// --- hup -----------------------------------------------------------------------------------------------

namespace {

task<> send_messages(vk::socket* io, int count, std::string* said)
{
    for (int i = 0; i < count; ++i) {
        co_await io->print("message {}\nits second line\n", i);
        co_await io->hup();
        *said += std::to_string(i);
    }
}

} // namespace

TEST_CASE("a hang-up ends a message, and the stream goes on when its reader took the end")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        thread_handle sender = spawn(send_messages, &a, 3, &said);
        for (int i = 0; i < 3; ++i) {
            std::string wanted = "message " + std::to_string(i) + "\nits second line\n";
            std::string got;
            co_await read_to_end(&b, &got);
            CHECK(got == wanted);
            CHECK(b.eof());
            CHECK(b.nodata());
            CHECK(a.hanged());

            // The end stays, and the sender waits, until it is taken.
            auto line = co_await b.readline();
            CHECK_FALSE(line);
            co_await vk::yield();
            CHECK(said == std::string("012").substr(0, static_cast<std::size_t>(i)));
            co_await b.read_hup();
            CHECK_FALSE(b.eof());
            CHECK_FALSE(a.hanged());
            co_await vk::yield();
            CHECK(said == std::string("012").substr(0, static_cast<std::size_t>(i) + 1));
        }
        co_await sender.join();
    });
}

TEST_CASE("taking an end skips what was not read of the message")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        thread_handle sender = spawn(send_messages, &a, 2, &said);
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "message 0\n");
        co_await b.read_hup();
        line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "message 1\n");
        co_await b.read_hup();
        co_await sender.join();
        CHECK(said == "01");
    });
}

TEST_CASE("taking an end waits for it")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        thread_handle taker = spawn(outcome_of<read_hang_up>, &b, &said);
        co_await vk::yield();
        co_await a.write("to be skipped");
        co_await vk::yield();
        co_await vk::yield();
        CHECK(said.empty());
        co_await a.hup();
        co_await taker.join();
        CHECK(said == "done ");
        CHECK(b.nodata() == false);
    });
}

TEST_CASE("a message may be empty")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string said;
        thread_handle hanger = spawn(outcome_of<hang_up>, &a, &said);
        auto line = co_await b.readline();
        CHECK_FALSE(line);
        co_await b.read_hup();
        co_await hanger.join();
        CHECK(said == "done ");
        co_await a.write("next\n");
        line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "next\n");
    });
}

TEST_CASE("a message longer than the rings ends where it ends")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct sender {
            static task<> run(vk::socket* io)
            {
                co_await io->write(text_of(5 * block));
                co_await io->hup();
                co_await io->write("after");
                co_await io->tx_close();
            }
        };
        thread_handle one = spawn(sender::run, &a);
        std::string got;
        co_await read_to_end(&b, &got);
        bool same = got == text_of(5 * block);
        CHECK(same);
        co_await b.read_hup();
        got.clear();
        co_await read_to_end(&b, &got);
        CHECK(got == "after");
        co_await one.join();
    });
}

TEST_CASE("an end for good is not taken away by taking an end")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.tx_close();
        co_await b.read_hup();
        CHECK(b.eof());
        auto line = co_await b.readline();
        CHECK_FALSE(line);
    });
}

TEST_CASE("a hang-up towards a socket that goes is broken off")
{
    run_local([]() -> task<> {
        std::string said;
        vk::socket a;
        auto b = std::make_unique<vk::socket>();
        bind(a, *b);
        co_await a.write("text");
        thread_handle hanger = spawn(outcome_of<hang_up>, &a, &said);
        co_await vk::yield();
        CHECK(said.empty());
        b.reset();
        co_await hanger.join();
        CHECK(said == "broken ");
    });
}

// --- clear ---------------------------------------------------------------------------------------------

TEST_CASE("clearing forgets an error, so that the input is tried again")
{
    run_local([]() -> task<> {
        vk::socket io;
        char byte;
        int errors = 0;
        for (int i = 0; i < 2; ++i) {
            try {
                std::size_t count = co_await io.read(std::span(&byte, 1));
                errors += static_cast<int>(count);
            } catch (const vk::error&) {
                ++errors;
            }
        }
        CHECK(errors == 2);
        vk::socket other;
        bind(io, other);
        io.clear();
        co_await other.write("x");
        std::size_t count = co_await io.read(std::span(&byte, 1));
        CHECK(count == 1);
        CHECK(byte == 'x');
    });
}

TEST_CASE("a hang-up is known before what was sent is read, and no longer when it was taken")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        CHECK_FALSE(b.poll_hup());
        std::string said;
        co_await a.write("text");
        CHECK_FALSE(b.poll_hup());
        thread_handle hanging = spawn(outcome_of<hang_up>, &a, &said);
        std::string got;
        co_await read_into(&b, 2, &got); // the rest is here, and the writer's mark waits for it
        co_await vk::yield();
        CHECK(b.poll_hup());
        co_await read_into(&b, 2, &got);
        CHECK(got == "text");
        co_await b.read_hup();
        CHECK_FALSE(b.poll_hup());
        co_await hanging.join();
        CHECK(said == "done ");
        co_await a.tx_close();
        CHECK(b.poll_hup());
    });
}

TEST_CASE("a shutdown ends both directions")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("a");
        co_await b.write("b");
        std::string got;
        thread_handle reading = spawn(read_to_end, &b, &got);
        co_await a.shutdown();
        co_await reading.join();
        CHECK(got == "a");
        CHECK(a.nodata());
        std::string said;
        thread_handle writing = spawn(outcome_of<write_little>, &b, &said);
        co_await writing.join();
        CHECK(said == "broken ");
    });
}
