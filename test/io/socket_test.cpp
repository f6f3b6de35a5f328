#include "io/socket_pair.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/quiet.hpp"
#include "support/random.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using vk::process;
using vk::run_local;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::read_into;
using vk::test::text_of;
using vk::test::with_pair;
using vk::test::write_from;

// Sockets that are bound to each other: all that a stream does, without an fd.

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

} // namespace

// --- read and write ------------------------------------------------------------------------------------

TEST_CASE("a read is served when all its bytes have come, not before")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string got;
        thread_handle reader = spawn(read_into, &b, 6, &got);
        co_await vk::yield();
        CHECK_FALSE(reader.ended());
        co_await a.write("abc");
        co_await vk::yield();
        co_await vk::yield();
        CHECK_FALSE(reader.ended());
        CHECK(got.empty());
        co_await a.write("defgh");
        co_await reader.join();
        CHECK(got == "abcdef");

        char rest[2];
        std::size_t count = co_await b.read(std::span(rest)); // it is there: no suspension
        CHECK(count == 2);
        CHECK(std::string_view(rest, 2) == "gh");
    });
}

TEST_CASE("a read past the end of the stream is short")
{
    run_local([]() -> task<> {
        vk::socket b;
        {
            vk::socket a;
            bind(a, b);
            co_await a.write("abc");
        }
        char bytes[8];
        std::size_t count = co_await b.read(std::span(bytes));
        CHECK(count == 3);
        CHECK(std::string_view(bytes, 3) == "abc");
        count = co_await b.read(std::span(bytes));
        CHECK(count == 0);
    });
}

TEST_CASE("bytes can be read and written as std::byte")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::array<std::byte, 4> out{std::byte{1}, std::byte{0}, std::byte{255}, std::byte{10}};
        std::array<std::byte, 4> in{};
        co_await a.write(std::span<const std::byte>(out));
        std::size_t count = co_await b.read(std::span<std::byte>(in));
        CHECK(count == 4);
        CHECK(in == out);
    });
}

TEST_CASE("a read of nothing and a write of nothing are done at once")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::span<char> none;
        std::size_t count = co_await b.read(none);
        CHECK(count == 0);
        co_await a.write("");
        co_await a.flush();
        CHECK_FALSE(b.eof());
    });
}

TEST_CASE("both directions of a pair are streams of their own")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("to b");
        co_await b.write("to a");
        char bytes[4];
        std::size_t count = co_await a.read(std::span(bytes));
        CHECK(std::string_view(bytes, count) == "to a");
        count = co_await b.read(std::span(bytes));
        CHECK(std::string_view(bytes, count) == "to b");
    });
}

TEST_CASE("a write that fits in the ring does not wait for a reader")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        bool done = false;
        thread_handle writer = spawn(write_from, &a, text_of(block), &done);
        co_await vk::yield();
        CHECK(done);
        std::string got;
        co_await read_into(&b, block, &got);
        CHECK(got == text_of(block));
    });
}

TEST_CASE("a write longer than the ring waits until the reader has made room")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        bool done = false;
        std::string sent = text_of(3 * block + 100);
        thread_handle writer = spawn(write_from, &a, sent, &done);
        co_await vk::yield();
        CHECK_FALSE(done);
        std::string got;
        co_await read_into(&b, block, &got);
        co_await vk::yield();
        CHECK_FALSE(done);
        co_await read_into(&b, 2 * block + 100, &got);
        co_await writer.join();
        CHECK(done);
        CHECK(got == sent);
    });
}

TEST_CASE("a flush waits until the reader took everything")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct flusher {
            static task<> run(vk::socket* io, bool* done)
            {
                co_await io->write("abc");
                co_await io->flush();
                *done = true;
            }
        };
        bool done = false;
        thread_handle one = spawn(flusher::run, &a, &done);
        co_await vk::yield();
        co_await vk::yield();
        CHECK_FALSE(done);
        std::string got;
        co_await read_into(&b, 1, &got); // the reader's ring takes all three
        co_await one.join();
        CHECK(done);
        co_await read_into(&b, 2, &got);
        CHECK(got == "abc");
        co_await a.flush(); // of nothing
    });
}

namespace {

task<> write_pieces(vk::socket* to, std::string_view whole, std::uint64_t seed)
{
    vk::test::dice dice(seed);
    for (std::size_t at = 0; at < whole.size();) {
        std::size_t most = dice.chance(0.1) ? 40'000 : 600;
        std::size_t bytes = std::min<std::size_t>(1 + dice.below(most), whole.size() - at);
        co_await to->write(whole.substr(at, bytes));
        at += bytes;
        if (dice.chance(0.2))
            co_await vk::yield();
    }
}

task<> write_pieces_thread(vk::socket* to, const std::string* whole, std::uint64_t seed)
{
    co_await write_pieces(to, *whole, seed);
    co_await to->tx_close();
}

} // namespace

TEST_CASE("a stream cut into random pieces on both sides arrives whole", "[property]")
{
    struct body {
        static task<> run(std::uint64_t seed, const std::string& sent, std::string& got)
        {
            vk::test::dice dice(seed + 1);
            vk::socket a;
            vk::socket b;
            bind(a, b);
            thread_handle writer = spawn(write_pieces_thread, &a, &sent, seed);
            for (;;) {
                std::size_t most = dice.chance(0.1) ? 50'000 : 900;
                std::size_t before = got.size();
                std::size_t wanted = 1 + dice.below(most);
                co_await read_into(&b, wanted, &got);
                if (got.size() - before < wanted)
                    break;
            }
            CHECK(b.nodata());
            co_await writer.join();
        }
    };
    const std::uint64_t first = vk::test::seed();
    const std::string sent = text_of(600'000);
    for (std::uint64_t seed = first; seed < first + 5; ++seed) {
        INFO("VK_SEED=" << seed);
        std::string got;
        run_local(body::run, seed, sent, got);
        CHECK(got == sent);
    }
}

// --- lines ---------------------------------------------------------------------------------------------

TEST_CASE("a line is read when its newline has come, and keeps it")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct reader {
            static task<> run(vk::socket* io, std::string* got)
            {
                auto line = co_await io->readline();
                *got = line ? std::string(*line) : "none";
            }
        };
        std::string got;
        thread_handle one = spawn(reader::run, &b, &got);
        co_await a.write("hel");
        co_await vk::yield();
        co_await vk::yield();
        CHECK(got.empty());
        co_await a.write("lo\nmore\nand");
        co_await one.join();
        CHECK(got == "hello\n");
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "more\n");
    });
}

TEST_CASE("the last line may lack its newline, and after it there is none")
{
    run_local([]() -> task<> {
        vk::socket b;
        {
            vk::socket a;
            bind(a, b);
            co_await a.write("first\n\nlast");
        }
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "first\n");
        line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "\n");
        line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "last");
        line = co_await b.readline();
        CHECK_FALSE(line);
        line = co_await b.readline();
        CHECK_FALSE(line);
    });
}

TEST_CASE("a stream that ended without a byte has no line")
{
    run_local([]() -> task<> {
        vk::socket b;
        {
            vk::socket a;
            bind(a, b);
        }
        auto line = co_await b.readline();
        CHECK_FALSE(line);
        CHECK(b.eof());
    });
}

namespace {

task<> write_lines(vk::socket* to, std::uint64_t seed, std::size_t count, std::size_t longest)
{
    vk::test::dice dice(seed);
    for (std::size_t i = 0; i < count; ++i) {
        std::string line = text_of(dice.below(longest), static_cast<unsigned>(i));
        line += '\n';
        co_await to->write(line);
    }
    co_await to->tx_close();
}

} // namespace

TEST_CASE("lines of random length arrive as they were, those that wrap too", "[property]")
{
    struct body {
        static task<> run(std::uint64_t seed, std::size_t count, std::size_t longest)
        {
            vk::socket a;
            vk::socket b;
            bind(a, b);
            thread_handle writer = spawn(write_lines, &a, seed, count, longest);
            vk::test::dice dice(seed);
            std::size_t same = 0;
            for (std::size_t i = 0; i < count; ++i) {
                std::string wanted = text_of(dice.below(longest), static_cast<unsigned>(i)) + "\n";
                auto line = co_await b.readline();
                same += line && *line == wanted;
            }
            auto end = co_await b.readline();
            CHECK_FALSE(end);
            CHECK(same == count);
            co_await writer.join();
        }
    };
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    run_local(body::run, seed, 3000u, 100u);
    run_local(body::run, seed, 400u, 5000u);
    run_local(body::run, seed, 50u, 50'000u);
}

TEST_CASE("a line longer than a block takes pages of the heap, and gives them back")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t pages = heap.pages_used();
        std::string sent = text_of(5 * block) + "\n";
        bool done = false;
        {
            thread_handle writer = spawn(write_from, &a, sent + "next\n", &done);
            auto line = co_await b.readline();
            REQUIRE(line);
            bool same = *line == sent;
            CHECK(same);
            CHECK(heap.pages_high_water() >= pages + 5 * block / vk::limits::page_bytes);
            co_await writer.join();
        }
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "next\n");
    });
}

TEST_CASE("a line longer than the heap ends that read, and neither the process nor the stream")
{
    vk::test::quiet quiet;
    with_pair(
        [](vk::socket& a, vk::socket& b) -> task<> {
            std::string sent = text_of(40 * 4096) + "\nnext line\n";
            bool done = false;
            thread_handle writer = spawn(write_from, &a, sent, &done);
            bool exhausted = false;
            try {
                auto line = co_await b.readline();
                FAIL("the line fitted: " << line->size());
            } catch (const vk::heap_exhausted& e) {
                exhausted = e.pages_needed() > 32;
            }
            CHECK(exhausted);

            // What came is there, and what has not come yet comes.
            std::string got;
            while (got.size() < 40 * 4096 + 1)
                co_await read_into(&b, std::min(block, 40 * 4096 + 1 - got.size()), &got);
            bool same = got == sent.substr(0, got.size());
            CHECK(same);
            auto line = co_await b.readline();
            REQUIRE(line);
            CHECK(*line == "next line\n");
            co_await writer.join();
        },
        {.heap_pages = 32});
}

TEST_CASE("a line stays where it is until the next read operation, suspensions included")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write(text_of(100) + "\nsecond\n");
        auto line = co_await b.readline();
        REQUIRE(line);
        const char* where = line->data();
        std::string before(*line);

        co_await a.write(text_of(10'000, 1));
        co_await b.write(*line); // its own bytes
        co_await vk::yield();
        co_await vk::sleep_for(std::chrono::milliseconds(1));
        std::string echoed;
        co_await read_into(&a, 101, &echoed);
        CHECK(line->data() == where);
        CHECK(*line == before);
        CHECK(echoed == before);

        auto second = co_await b.readline();
        REQUIRE(second);
        CHECK(*second == "second\n");
        char bytes[10'000];
        std::size_t count = co_await b.read(std::span(bytes));
        CHECK(std::string_view(bytes, count) == text_of(10'000, 1));
    });
}

TEST_CASE("lines and reads can be mixed")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("12 bytes: abc\n0123456789\nend\n");
        std::string got;
        co_await read_into(&b, 3, &got);
        CHECK(got == "12 ");
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "bytes: abc\n");
        co_await read_into(&b, 4, &got);
        CHECK(got == "12 0123");
        line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "456789\n");
    });
}

// --- print ---------------------------------------------------------------------------------------------

TEST_CASE("print formats into the stream")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::size_t number = 7;
        co_await a.print("Line {}: {:>5} {:.2f}\n", number, "text", 1.5);
        auto line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "Line 7:  text 1.50\n");
        co_await a.print("nothing to format\n");
        line = co_await b.readline();
        REQUIRE(line);
        CHECK(*line == "nothing to format\n");
    });
}

TEST_CASE("print takes what was read as an argument")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("echo me\n");
        auto line = co_await b.readline();
        REQUIRE(line);
        co_await b.print("Line {}: {}", 0, *line);
        auto answer = co_await a.readline();
        REQUIRE(answer);
        CHECK(*answer == "Line 0: echo me\n");
    });
}

TEST_CASE("a text that does not fit in one piece of the ring is whole all the same")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct reader {
            static task<> run(vk::socket* io, std::string* got)
            {
                auto line = co_await io->readline();
                got->assign(*line);
            }
        };
        // The reader's ring has room for half of what is in the writer's, so that the rest stays at its end
        // and its room is in two pieces.
        std::string start = text_of(8000);
        std::string line = start + text_of(block - 8001, 1) + "\n";
        std::string rest = text_of(7616, 2);
        std::string got;
        thread_handle one = spawn(reader::run, &b, &got);
        co_await a.write(start);
        co_await vk::yield();
        co_await vk::yield();
        co_await a.write(line.substr(8000) + rest);
        co_await one.join();
        CHECK(got == line);

        std::string text = text_of(500, 3);
        co_await a.print("{}", text);
        got.clear();
        co_await read_into(&b, rest.size() + text.size(), &got);
        CHECK(got == rest + text);
    });
}

TEST_CASE("a text longer than the ring waits in pages of the heap until the reader takes it")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct printer {
            static task<> run(vk::socket* io, const std::string* text, bool* done)
            {
                co_await io->print("<{}>\n", *text);
                *done = true;
            }
        };
        vk::heap& heap = process::current().heap();
        std::size_t pages = heap.pages_used();
        std::string text = text_of(3 * block);
        bool done = false;
        {
            thread_handle one = spawn(printer::run, &a, &text, &done);
            co_await vk::yield();
            CHECK_FALSE(done);
            CHECK(heap.pages_used() > pages + 1);
            std::string got;
            co_await read_into(&b, text.size() + 3, &got);
            co_await one.join();
            bool same = got == "<" + text + ">\n";
            CHECK(same);
        }
        CHECK(heap.pages_used() == pages);
    });
}

TEST_CASE("a text for which the heap has no room is refused, and the stream goes on")
{
    vk::test::quiet quiet;
    with_pair(
        [](vk::socket& a, vk::socket& b) -> task<> {
            std::string text = text_of(20 * 4096);
            bool exhausted = false;
            try {
                co_await a.print("{}\n", text);
            } catch (const vk::heap_exhausted&) {
                exhausted = true;
            }
            CHECK(exhausted);
            co_await a.print("{}\n", "short");
            auto line = co_await b.readline();
            REQUIRE(line);
            CHECK(*line == "short\n");
        },
        {.heap_pages = 16});
}

TEST_CASE("a text that did not fit leaves nothing of itself in a block that goes back")
{
    run_local([]() -> task<> {
        vk::lender& blocks = process::current().shared().blocks;
        {
            vk::socket a;
            vk::socket b;
            bind(a, b);
            bool done = false;
            thread_handle writer = spawn(write_from, &a, "start", &done);
            co_await writer.join();
            struct printer {
                static task<> run(vk::socket* io, std::string secret)
                {
                    try {
                        co_await io->print("{}", secret);
                    } catch (const vk::cancelled&) {
                    }
                }
            };
            // It is tried in the ring first, then blocks elsewhere; little of it is taken.
            thread_handle one = spawn(printer::run, &a, std::string(2 * block, 's'));
            co_await vk::yield();
            one.cancel();
            co_await one.join();
        }
        CHECK(blocks.lent() == 0);
        std::vector<std::byte*> all;
        std::size_t dirty = 0;
        for (std::byte* one; (one = blocks.lend());) {
            all.push_back(one);
            dirty += !std::all_of(one, one + block, [](std::byte b) { return b == std::byte{0}; });
        }
        for (std::byte* one : all)
            blocks.take_back(one, 0);
        CHECK(dirty == 0);
        CHECK_FALSE(all.empty());
    });
}

TEST_CASE("printing to a stream that ended is an error, of an empty text too")
{
    // In a child: it must not end the program.
    vk::test::ending ended = vk::test::in_child([] {
        int errors = 0;
        run_local(
            [](int& errors) -> task<> {
                vk::socket a;
                vk::socket b;
                bind(a, b);
                co_await a.tx_close();
                for (const char* text : {"text", ""}) {
                    try {
                        co_await a.print("{}", text);
                    } catch (const vk::error& e) {
                        errors += e.code() == std::errc::broken_pipe;
                    }
                }
            },
            errors);
        return errors;
    });
    INFO(ended.text());
    CHECK((ended.exited_with(1) || ended.exited_with(2))); // nothing to print may be no error
}

// --- memory --------------------------------------------------------------------------------------------

TEST_CASE("a socket that waits holds no block, one with bytes in it does")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        vk::lender& blocks = process::current().shared().blocks;
        std::string got;
        thread_handle reader = spawn(read_into, &b, 10, &got);
        co_await vk::sleep_for(std::chrono::milliseconds(1)); // the dispatch ends
        CHECK(blocks.lent() == 0);
        co_await a.write("0123");
        CHECK(blocks.lent() > 0);
        co_await vk::sleep_for(std::chrono::milliseconds(1));
        CHECK_FALSE(reader.ended());
        CHECK(blocks.lent() == 0); // the reader took them
        co_await b.write("unread");
        co_await vk::sleep_for(std::chrono::milliseconds(1));
        CHECK(blocks.lent() == 1);
        co_await a.write("456789");
        co_await reader.join();
        CHECK(got == "0123456789");
    });
}

TEST_CASE("lines go to and fro without the global heap and without new pages")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct echo {
            static task<> run(vk::socket* io)
            {
                for (std::size_t n = 0;; ++n) {
                    auto line = co_await io->readline();
                    if (!line)
                        co_return;
                    co_await io->print("Line {}: {}", n, *line);
                }
            }
        };
        thread_handle server = spawn(echo::run, &b);
        vk::heap& heap = process::current().heap();
        std::size_t same = 0;
        std::size_t pages = heap.pages_used();
        auto before = vk::test::allocations_now();
        for (std::size_t n = 0; n < 2000; ++n) {
            co_await a.write("sixty-three bytes of text, more or less, and then the newline.\n");
            auto line = co_await a.readline();
            same += line && line->ends_with("newline.\n");
        }
        bool alone = vk::test::allocations_now() == before;
        CHECK(alone);
        CHECK(same == 2000);
        CHECK(heap.pages_used() == pages);
        CHECK(heap.pages_high_water() == pages);
        co_await a.tx_close();
        co_await server.join();
    });
}

// --- many threads --------------------------------------------------------------------------------------

namespace {

task<> say_lines(vk::socket* io, int who, int count)
{
    for (int i = 0; i < count; ++i) {
        co_await io->print("{} {}\n", who, i);
        if (i % 3 == who % 3)
            co_await vk::yield();
    }
}

task<> collect_lines(vk::socket* io, std::vector<std::string>* to)
{
    for (;;) {
        auto line = co_await io->readline();
        if (!line)
            co_return;
        to->emplace_back(*line); // another thread's read ends the view
        co_await vk::yield();
    }
}

} // namespace

TEST_CASE("many threads write and read one pair; every line arrives once, each writer's in order")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        constexpr int writers = 12;
        constexpr int count = 200;
        std::vector<std::string> got;
        std::vector<thread_handle> writing;
        std::vector<thread_handle> reading;
        for (int i = 0; i < 5; ++i)
            reading.push_back(spawn(collect_lines, &b, &got));
        for (int i = 0; i < writers; ++i)
            writing.push_back(spawn(say_lines, &a, i, count));
        for (thread_handle& one : writing)
            co_await one.join();
        co_await a.tx_close();
        for (thread_handle& one : reading)
            co_await one.join();

        CHECK(got.size() == writers * count);
        std::map<int, int> next;
        std::size_t out_of_order = 0;
        for (const std::string& line : got) {
            int who = 0;
            int number = 0;
            REQUIRE(std::sscanf(line.c_str(), "%d %d", &who, &number) == 2);
            out_of_order += number != next[who]++;
        }
        CHECK(out_of_order == 0);
        writing.clear();
        reading.clear();
    });
}

// --- unbound -------------------------------------------------------------------------------------------

TEST_CASE("a socket that is not bound has nobody to read from or write to")
{
    run_local([]() -> task<> {
        vk::socket io;
        CHECK(io.rx_fd() == -1);
        CHECK(io.tx_fd() == -1);
        int refused = 0;
        char byte;
        try {
            std::size_t count = co_await io.read(std::span(&byte, 1));
            CHECK(count == 99);
        } catch (const vk::error& e) {
            refused += e.code() == std::errc::not_connected;
        }
        try {
            co_await io.write("x");
            co_await io.flush();
        } catch (const vk::error& e) {
            refused += e.code() == std::errc::not_connected;
        }
        CHECK(refused == 2);
    });
}
