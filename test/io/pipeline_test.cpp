#include "io/socket_pair.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/io/pipeline.hpp>
#include <vk/proc/alone.hpp>

#include <cctype>
#include <string>
#include <vector>

#include <sys/socket.h>

using vk::spawn;
using vk::spawn_pipeline;
using vk::task;
using vk::thread_handle;
using vk::test::read_into;
using vk::test::text_of;
using vk::test::with_pair;

namespace {

constexpr std::size_t block = vk::limits::block_bytes;

// --- stages

task<> number_lines(vk::socket& io, int first)
{
    while (auto line = co_await io.readline())
        co_await io.print("{} {}", first++, *line);
}

task<> to_upper(vk::socket& io)
{
    while (auto line = co_await io.readline()) {
        std::string text(*line);
        for (char& c : text)
            c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        co_await io.write(text);
    }
}

task<> copy(vk::socket& io)
{
    co_await io.forward();
}

task<> first_line(vk::socket& io)
{
    if (auto line = co_await io.readline())
        co_await io.write(*line);
}

task<> fails(vk::socket& io)
{
    (void)co_await io.readline();
    vk::raise(std::errc::io_error, "stage");
}

// --- who reads

task<> read_all(vk::socket* from, std::string* to)
{
    while (auto line = co_await from->readline())
        to->append(*line);
}

} // namespace

TEST_CASE("a stage reads what its parent writes, and writes to where that went")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        std::string got;
        thread_handle reading = spawn(read_all, &b, &got);
        thread_handle stage = spawn_pipeline(a, number_lines, 7);
        co_await a.write("one\ntwo\n");
        co_await a.tx_close();
        co_await stage.join();
        co_await reading.join();
        CHECK(got == "7 one\n8 two\n");
        CHECK(b.nodata());
    });
}

TEST_CASE("what was written before the stage came goes out before it, and past it")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        co_await a.write("plain\n");
        thread_handle stage = spawn_pipeline(a, to_upper);
        co_await a.write("loud\n");
        std::string got;
        thread_handle reading = spawn(read_all, &b, &got);
        co_await a.tx_close();
        co_await reading.join();
        co_await stage.join();
        CHECK(got == "plain\nLOUD\n");
    });
}

TEST_CASE("a further stage comes between the parent and those before, and a stage may add one "
          "behind itself")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct adds {
            static task<> run(vk::socket& io)
            {
                spawn_pipeline(io, number_lines, 1).detach();
                while (auto line = co_await io.readline())
                    co_await io.print("<{}", *line);
            }
        };
        std::string got;
        thread_handle reading = spawn(read_all, &b, &got);
        thread_handle last = spawn_pipeline(a, adds::run);
        thread_handle first = spawn_pipeline(a, to_upper);
        co_await a.write("x\ny\n");
        co_await a.tx_close();
        co_await reading.join();
        co_await first.join();
        co_await last.join();
        CHECK(got == "1 <X\n2 <Y\n");
    });
}

TEST_CASE("all bytes pass a chain of any length, and each stage waits for the next")
{
    with_pair(
        [](vk::socket& a, vk::socket& b) -> task<> {
            std::vector<thread_handle> stages;
            for (int i = 0; i < 12; ++i)
                stages.push_back(spawn_pipeline(a, copy));
            std::string text = text_of(100 * block);
            bool written = false;
            thread_handle writing = spawn(vk::test::write_from, &a, text, &written);
            for (int i = 0; i < 1000; ++i)
                co_await vk::yield();
            CHECK_FALSE(written); // nobody reads, and no more than the rings hold is on its way
            std::string got;
            co_await read_into(&b, text.size(), &got);
            co_await writing.join();
            CHECK(got == text);
            co_await a.tx_close();
            std::string end;
            co_await read_into(&b, 1, &end);
            CHECK(b.nodata());
            for (auto& stage : stages)
                co_await stage.join();
        },
        {.heap_pages = 400});
}

TEST_CASE(
    "a hang-up passes the stages, and its writer waits until the last has written what there was")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct hangs_up {
            static task<> run(vk::socket* io, std::string* said)
            {
                co_await io->write("text\n");
                co_await io->hup();
                *said += "taken";
            }
        };
        thread_handle stage = spawn_pipeline(a, to_upper);
        thread_handle other = spawn_pipeline(a, number_lines, 1);
        std::string said;
        std::string got;
        thread_handle hanging = spawn(hangs_up::run, &a, &said);
        co_await read_all(&b, &got);
        CHECK(got == "1 TEXT\n");
        co_await hanging.join();
        CHECK(said == "taken");
        co_await stage.join();
        co_await other.join();
        bool broken = false; // the stages are gone, and nothing passes them by
        try {
            co_await a.write("x");
        } catch (const vk::error& e) {
            broken = e.code() == std::errc::broken_pipe;
        }
        CHECK(broken);
    });
}

TEST_CASE("a stage that ends early fails who goes on writing, and what it wrote arrives")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        struct writes {
            static task<> run(vk::socket* io, std::string* said)
            {
                try {
                    for (;;)
                        co_await io->write("again and again\n");
                } catch (const vk::error& e) {
                    *said = e.what();
                }
            }
        };
        thread_handle stage = spawn_pipeline(a, first_line);
        std::string said;
        std::string got;
        thread_handle writing = spawn(writes::run, &a, &said);
        co_await read_all(&b, &got);
        co_await stage.join();
        co_await writing.join();
        CHECK(got == "again and again\n");
        CHECK(said == "write: Broken pipe");
    });
}

TEST_CASE("what escapes a stage comes to who joins it, and its writer is failed")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        thread_handle stage = spawn_pipeline(a, fails);
        std::string said;
        co_await a.write("line\n");
        try {
            co_await stage.join();
        } catch (const vk::error& e) {
            said = e.what();
        }
        CHECK(said == "stage: Input/output error");
        bool broken = false;
        try {
            co_await a.flush();
        } catch (const vk::error& e) {
            broken = e.code() == std::errc::broken_pipe;
        }
        CHECK(broken);
        std::string got;
        co_await read_all(&b, &got);
        CHECK(got.empty());
    });
}

TEST_CASE("a stage for which there is no page leaves the output as it was")
{
    vk::test::quiet quiet;
    with_pair(
        [](vk::socket& a, vk::socket& b) -> task<> {
            vk::heap& heap = vk::process::current().heap();
            std::vector<void*> all;
            while (void* page = heap.try_take(1))
                all.push_back(page);
            CHECK_THROWS_AS(spawn_pipeline(a, copy), vk::heap_exhausted);
            for (void* page : all)
                heap.give(page);
            co_await a.write("plain\n");
            auto line = co_await b.readline();
            CHECK(*line == "plain\n");
        },
        {.heap_pages = 16});
}

namespace {

// A frame that does not fit in the page of its thread.
task<> large_stage(vk::socket& io)
{
    volatile char much[8 * 4096] = {};
    co_await io.forward();
    (void)much[1];
}

} // namespace

TEST_CASE("a stage has the timeout of its parent, and a cancellation ends it")
{
    with_pair([](vk::socket& a, vk::socket& b) -> task<> {
        thread_handle stage = spawn_pipeline(a, large_stage);
        co_await vk::yield();
        stage.cancel();
        bool ended = false;
        try {
            co_await stage.join();
        } catch (const vk::cancelled&) {
            ended = true;
        }
        CHECK(ended);
        std::string got;
        co_await read_all(&b, &got);
        CHECK(b.nodata());
    });
}

namespace {

struct piped {
    bool waits_for_stages = false;
};

// As a service: it writes, and returns.
task<> serve_by_stages(vk::socket& io, piped&)
{
    spawn_pipeline(io, number_lines, 1).detach();
    spawn_pipeline(io, to_upper).detach();
    while (auto line = co_await io.readline())
        co_await io.write(*line);
    co_await io.tx_close();
    co_await vk::alone();
}

} // namespace

TEST_CASE(
    "on a descriptor, the output of the last stage is that of the connection, and ends with it")
{
    auto check = [](auto pair, vk::fd_kind kind) {
        std::string sent;
        std::string expected;
        for (int i = 1; i <= 2000; ++i) {
            sent += "line of text\n";
            expected += std::to_string(i) + " LINE OF TEXT\n";
        }
        vk::test::write_all(pair.far.get(), sent);
        ::shutdown(pair.far.get(), SHUT_WR);
        piped what;
        vk::test::run_socket(serve_by_stages, pair.near, what, kind);
        CHECK(vk::test::read_to_end(pair.far.get()) == expected);
    };
    check(vk::test::tcp_pair(), vk::fd_kind::tcp);
    check(vk::test::socket_pair(), vk::fd_kind::unix_socket);
}
