#include "io/socket_pair.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using vk::process;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::read_into;
using vk::test::text_of;
using vk::test::with_pair;

// What waits on a socket between two sockets, and every way in which waiting ends.

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

} // namespace

// --- poll_read, readable, writable ---------------------------------------------------------------------

namespace {

task<> poll(vk::socket* io, std::size_t* count)
{
    *count = co_await io->poll_read();
}

} // namespace

TEST_CASE("poll_read waits for a byte, says how many there are, and consumes none")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::size_t count = 99;
        thread_handle one = spawn(poll, &b, &count);
        co_await vk::yield();
        CHECK(count == 99);
        co_await a.write("abc");
        co_await one.join();
        CHECK(count == 3);
        std::size_t again = co_await b.poll_read();
        CHECK(again == 3);
        std::string got;
        co_await read_into(&b, 3, &got);
        CHECK(got == "abc");
    });
}

TEST_CASE("poll_read is 0 at the end of the stream")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::size_t count = 99;
        thread_handle one = spawn(poll, &b, &count);
        co_await vk::yield();
        co_await a.tx_close();
        co_await one.join();
        CHECK(count == 0);
        CHECK(b.eof());
    });
}

namespace {

task<> wait_readable(vk::socket* io, bool* done)
{
    co_await io->readable();
    *done = true;
}

task<> wait_writable(vk::socket* io, bool* done)
{
    co_await io->writable();
    *done = true;
}

} // namespace

TEST_CASE("readable waits until the other socket has written, or has ended")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        bool done = false;
        thread_handle one = spawn(wait_readable, &b, &done);
        co_await vk::yield();
        CHECK_FALSE(done);
        co_await a.write("x");
        co_await one.join();
        CHECK(done);
        std::string got;
        co_await read_into(&b, 1, &got);
        CHECK(got == "x");

        done = false;
        thread_handle two = spawn(wait_readable, &b, &done);
        co_await vk::yield();
        CHECK_FALSE(done);
        co_await a.tx_close();
        co_await two.join();
        CHECK(b.eof());
    });
}

TEST_CASE("readable waits on while the reader holds a line that fills its ring")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write(text_of(block - 1) + "\n");
        auto line = co_await b.readline();
        REQUIRE(line);
        bool done = false;
        thread_handle one = spawn(wait_readable, &b, &done);
        co_await vk::yield();
        CHECK_FALSE(done);
        co_await a.write("x");
        co_await one.join();
        CHECK(done);
    });
}

TEST_CASE("writable waits until the ring has room")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.writable();
        co_await a.write(text_of(block));
        bool done = false;
        thread_handle one = spawn(wait_writable, &a, &done);
        co_await vk::yield();
        CHECK_FALSE(done);
        std::string got;
        co_await read_into(&b, 1, &got);
        co_await one.join();
        CHECK(done);
        co_await read_into(&b, block - 1, &got);
    });
}

// --- every operation that blocks -----------------------------------------------------------------------

namespace {

task<> op_read(vk::socket* io)
{
    char bytes[4];
    std::size_t count = co_await io->read(std::span(bytes));
    CHECK(count < 4);
}

task<> op_readline(vk::socket* io)
{
    auto line = co_await io->readline();
    CHECK_FALSE(line);
}

task<> op_poll_read(vk::socket* io)
{
    std::size_t count = co_await io->poll_read();
    CHECK(count == 0);
}

task<> op_look(vk::socket* io)
{
    auto text = co_await io->look(5);
    CHECK(text.empty());
}

task<> op_forward(vk::socket* io)
{
    auto moved = co_await io->forward();
    CHECK(moved == 0);
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
    co_await io->write("x");
}

task<> op_print(vk::socket* io)
{
    std::string_view text = "x";
    co_await io->print("{}", text);
}

task<> op_flush(vk::socket* io)
{
    co_await io->flush();
}

task<> op_writable(vk::socket* io)
{
    co_await io->writable();
}

task<> op_hup(vk::socket* io)
{
    co_await io->hup();
}

task<> op_tx_close(vk::socket* io)
{
    co_await io->tx_close();
}

struct operation {
    const char* name;
    task<> (*run)(vk::socket*);
    bool reads; // else it blocks when the ring is full
};

const operation operations[] = {
    {"read", op_read, true},           {"readline", op_readline, true},
    {"poll_read", op_poll_read, true}, {"readable", op_readable, true},
    {"look", op_look, true},           {"forward", op_forward, true},
    {"read_hup", op_read_hup, true},   {"write", op_write, false},
    {"print", op_print, false},        {"flush", op_flush, false},
    {"writable", op_writable, false},  {"hup", op_hup, false},
    {"tx_close", op_tx_close, false},
};

task<> run_operation(const operation* which, vk::socket* io, std::string* said)
{
    try {
        co_await which->run(io);
        *said += "done";
    } catch (const vk::timed_out&) {
        *said += "late";
    } catch (const vk::cancelled&) {
        *said += "cancelled";
    }
}

// How the operation is to end.
struct ending {
    std::chrono::milliseconds timeout{0};
    bool cancel = false;
    const char* wanted = "";
};

// The operation ends so, has left the socket, and both directions go on.
task<> end_operation(const operation& which, const ending& how)
{
    vk::socket a;
    vk::socket b;
    bind(a, b);
    std::string said;
    if (!which.reads)
        co_await a.write(text_of(block));
    a.set_timeout(how.timeout);
    {
        thread_handle one = spawn(run_operation, &which, &a, &said);
        co_await vk::yield();
        CHECK(said.empty()); // it blocks
        if (how.cancel)
            one.cancel();
        co_await one.join();
    }
    CHECK(said == how.wanted);
    a.set_timeout({});

    std::string got;
    if (!which.reads) {
        co_await read_into(&b, block, &got);
        CHECK(got == text_of(block)); // all that was written before, and nothing of the rest
        got.clear();
    }
    co_await b.write("to a");
    co_await read_into(&a, 4, &got);
    CHECK(got == "to a");
    co_await a.write("to b");
    co_await read_into(&b, 4, &got);
    CHECK(got == "to ato b");
}

task<> end_each(ending how)
{
    for (const operation& each : operations) {
        INFO(each.name);
        std::size_t pages = process::current().heap().pages_used();
        co_await end_operation(each, how);
        CHECK(process::current().heap().pages_used() == pages);
        CHECK(process::current().shared().blocks.lent() == 0);
    }
}

} // namespace

TEST_CASE("each operation that blocks is ended by a cancellation, and the stream goes on")
{
    vk::run_local(end_each, ending{.cancel = true, .wanted = "cancelled"});
}

TEST_CASE("each operation that blocks is ended by the socket's timeout, and the stream goes on")
{
    vk::run_local(end_each, ending{.timeout = 2ms, .wanted = "late"});
}

TEST_CASE("a read that is ended early has taken nothing, however much it had read")
{
    with_pair(
        [](vk::socket& a, vk::socket& b) -> task<> {
            std::string whole = text_of(5 * block);
            for (std::size_t there : {std::size_t{1}, block - 1, block, 3 * block + 5}) {
                std::string got;
                bool done = false;
                thread_handle writing =
                    spawn(vk::test::write_from, &a, whole.substr(0, there), &done);
                for (int i = 0; i < 3; ++i) {
                    b.set_timeout(i == 2 ? 1ms : 0ms);
                    std::string unread;
                    thread_handle reading = spawn(read_into, &b, whole.size(), &unread);
                    for (int turn = 0; turn < 20; ++turn)
                        co_await vk::yield();
                    if (i < 2)
                        reading.cancel();
                    bool ended = false;
                    try {
                        co_await reading.join();
                    } catch (const vk::error&) {
                        ended = true;
                    }
                    CHECK(ended);
                }
                b.set_timeout({});
                co_await writing.join();
                co_await a.write("|");
                co_await read_into(&b, there + 1, &got);
                CHECK(got == whole.substr(0, there) + "|");
            }
        },
        {.heap_pages = 200});
}

TEST_CASE("a timeout ends no operation early")
{
    with_pair([](vk::socket& a, vk::socket&) -> task<> {
        a.set_timeout(5ms);
        vk::clock::time_point before(std::chrono::nanoseconds(process::current().shared().now));
        bool late = false;
        try {
            char byte;
            std::size_t count = co_await a.read(std::span(&byte, 1));
            CHECK(count == 99);
        } catch (const vk::timed_out& e) {
            late = true;
            CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("read"));
        }
        CHECK(late);
        CHECK(vk::clock::now() - before >= 5ms);
    });
}

TEST_CASE("a timeout is for each operation: one that ends in time does not count against the next")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct slow {
            static task<> run(vk::socket* io)
            {
                for (int i = 0; i < 5; ++i) {
                    co_await vk::sleep_for(30ms);
                    co_await io->write("x\n");
                }
            }
        };
        a.set_timeout(120ms);
        thread_handle one = spawn(slow::run, &b);
        for (int i = 0; i < 5; ++i) {
            auto line = co_await a.readline();
            REQUIRE(line);
        }
        co_await one.join();
    });
}

namespace {

task<> drip(vk::socket* io, int count)
{
    for (int i = 0; i < count; ++i) {
        co_await vk::sleep_for(20ms);
        co_await io->write("x");
    }
}

task<> sip(vk::socket* io, int count)
{
    for (int i = 0; i < count; ++i) {
        co_await vk::sleep_for(20ms);
        std::string got;
        co_await read_into(io, block, &got);
    }
}

} // namespace

TEST_CASE("bytes that move renew the timeout of a read that is not done yet")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        a.set_timeout(120ms);
        thread_handle one = spawn(drip, &b, 10);
        std::string got;
        co_await read_into(&a, 10, &got); // takes 200 ms, never 120 without a byte
        CHECK(got == "xxxxxxxxxx");
        co_await one.join();
    });
}

TEST_CASE("bytes that move renew the timeout of a write that is not done yet")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        a.set_timeout(120ms);
        thread_handle one = spawn(sip, &b, 10);
        co_await a.write(text_of(10 * block));
        co_await a.flush();
        co_await one.join();
    });
}

TEST_CASE("the bytes that were written before a write was ended stay written")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string sent = text_of(block + 5000);
        a.set_timeout(2ms);
        bool late = false;
        try {
            co_await a.write(sent);
        } catch (const vk::timed_out&) {
            late = true;
        }
        CHECK(late);
        std::string got;
        co_await read_into(&b, block, &got);
        CHECK(got == sent.substr(0, block));
    });
}

TEST_CASE("a text that was printed and cancelled gives its pages back")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct printer {
            static task<> run(vk::socket* io, std::string* said)
            {
                std::string text = text_of(2 * block);
                try {
                    co_await io->print("{}", text);
                } catch (const vk::cancelled&) {
                    *said = "cancelled";
                }
            }
        };
        vk::heap& heap = process::current().heap();
        std::size_t pages = heap.pages_used();
        std::string said;
        {
            thread_handle one = spawn(printer::run, &a, &said);
            co_await vk::yield();
            CHECK(heap.pages_used() > pages + 8);
            one.cancel();
            co_await one.join();
        }
        CHECK(said == "cancelled");
        CHECK(heap.pages_used() == pages);
        b.rx_close();
    });
}

TEST_CASE("a wait says what it waits for, and where in the source")
{
    with_pair([](vk::socket& a, vk::socket&) -> task<> {
        std::string said;
        thread_handle one = spawn(run_operation, &operations[1], &a, &said);
        co_await vk::yield();
        std::string waits;
        process::current().for_each_thread([&](const vk::thread& each) {
            if (each.blocked())
                waits = std::string(each.waits_for().operation) + " at " +
                        each.waits_for().where.file_name();
        });
        CHECK_THAT(waits, Catch::Matchers::StartsWith("readline at "));
        CHECK_THAT(waits, Catch::Matchers::EndsWith("socket_wait_test.cpp"));
        one.cancel();
        co_await one.join();
    });
}
