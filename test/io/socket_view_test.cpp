#include "io/socket_pair.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/io/socket.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <cstring>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using vk::spawn;
using vk::task;
using vk::thread_handle;
using vk::test::text_of;
using vk::test::with_pair;

// Reading and writing in place: look, take, prepare, commit; and a deadline for all of it.

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

task<> drip(vk::socket* io, std::string text)
{
    for (char c : text) {
        co_await vk::sleep_for(1ms);
        co_await io->write(std::string_view(&c, 1));
    }
    co_await io->tx_close();
}

} // namespace

TEST_CASE("look waits for as many bytes as were asked, and consumes none")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        thread_handle one = spawn(drip, &b, std::string("abcdef"));
        std::string_view seen = co_await a.look(3);
        CHECK(seen.substr(0, 3) == "abc");
        seen = co_await a.look(6);
        CHECK(seen == "abcdef");
        co_await one.join();
    });
}

TEST_CASE("look shows what there is, and nothing in the end, when the stream ends early")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        thread_handle one = spawn(drip, &b, std::string("abc"));
        std::string_view seen = co_await a.look(10);
        CHECK(seen == "abc");
        a.take(3);
        seen = co_await a.look(1);
        CHECK(seen.empty());
        CHECK(a.nodata());
        co_await one.join();
    });
}

TEST_CASE("what was taken stays in place until the next read operation")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await b.write("head|body");
        std::string_view seen = co_await a.look(9);
        std::string_view head = a.take(5);
        CHECK(head.data() == seen.data());
        co_await b.write(text_of(block / 2)); // fills the ring behind it
        co_await vk::yield();
        CHECK(head == "head|");
        seen = co_await a.look(4);
        CHECK(seen.substr(0, 4) == "body");
    });
}

TEST_CASE("look shows in one piece what wraps in the ring")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string text = text_of(block - 3);
        co_await b.write(text);
        std::string_view seen = co_await a.look(block - 3);
        a.take(block - 10);
        seen = co_await a.look(7);
        CHECK(seen == std::string_view(text).substr(block - 10));
        co_await b.write("0123456789"); // three bytes at the end, seven at the start
        seen = co_await a.look(17);
        CHECK(seen == text.substr(block - 10) + "0123456789");
    });
}

TEST_CASE("look at more than the ring holds takes pages, and fails when the heap has none")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        static std::string text;
        text = text_of(100 * block);
        struct writer {
            static task<> run(vk::socket* io)
            {
                try {
                    co_await io->write(text);
                } catch (const vk::cancelled&) {
                }
            }
        };
        thread_handle one = spawn(writer::run, &b);
        std::string_view seen = co_await a.look(block + 1);
        CHECK(seen.size() > block);
        CHECK(std::string_view(text).starts_with(seen));
        bool failed = false;
        try {
            co_await a.look(1000 * block);
        } catch (const vk::heap_exhausted&) {
            failed = true;
        }
        CHECK(failed);
        seen = co_await a.look(1); // nothing was lost
        CHECK(seen == std::string_view(text).substr(0, seen.size()));
        one.cancel();
        co_await one.join();
    });
}

TEST_CASE("what is prepared and committed is written, in order with the rest")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("one ");
        std::span<char> room = a.prepare();
        REQUIRE(room.size() == block - 4);
        std::memcpy(room.data(), "two ", 4);
        a.commit(4);
        co_await a.write("three");
        std::string_view seen = co_await b.look(13);
        CHECK(seen == "one two three");
    });
}

TEST_CASE("there is no room to prepare in an output that has ended or is full")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::span<char> room = a.prepare();
        std::memset(room.data(), 'x', room.size());
        a.commit(room.size());
        CHECK(a.prepare().empty());
        std::string_view seen = co_await b.look(block);
        b.take(seen.size());
        co_await a.tx_close();
        CHECK(a.prepare().empty());
    });
}

TEST_CASE("a deadline ends an operation though bytes move, and is forgotten when it is set to zero")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        thread_handle one =
            spawn(drip, &b, std::string("0123456789012345678901234567890123456789"));
        a.set_timeout(1s);
        a.set_deadline(10ms);
        bool timed_out = false;
        try {
            co_await a.look(40);
        } catch (const vk::timed_out&) {
            timed_out = true;
        }
        CHECK(timed_out);
        a.set_deadline({});
        std::string_view seen = co_await a.look(40);
        CHECK(seen.size() == 40);
        co_await one.join();
    });
}

TEST_CASE("a timeout that is shorter than the deadline still ends an operation")
{
    with_pair([](vk::socket& a, vk::socket&) -> task<> {
        a.set_timeout(2ms);
        a.set_deadline(1h);
        bool timed_out = false;
        try {
            co_await a.look(1);
        } catch (const vk::timed_out&) {
            timed_out = true;
        }
        CHECK(timed_out);
    });
}
