// The HTTP/1.1 client on the simulated operating system, against servers that are scripts: every split of every kind of
// response, servers that break off or send what is no response, and connections that are used again.
//
// VK_SEED=7 runs that seed alone; VK_SIM_TRACE=1 prints the calls.

#include "support/catch.hpp"
#include "support/isolation.hpp"
#include "support/sim/sim.hpp"

#include <vk/base/error.hpp>
#include <vk/base/log.hpp>
#include <vk/base/os.hpp>
#include <vk/gateway/http1/client.hpp>
#include <vk/gateway/http1/forwarding.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/program.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace vk::http {

namespace {

constexpr const char* place = "10.0.0.1:80";

// A world with an upstream, and a process that asks it.
struct scene {
    explicit scene(const client_options& how = {}, const sim::options& system = {})
        : in(system), there(place, how)
    {
        log::set_level(log::level::error);
    }

    // The next connection is served by this script.
    sim::client& serve(std::string name = "server")
    {
        return in.add_client(std::move(name)).accept(place);
    }

    using function = task<> (*)(scene&);

    void run(function main)
    {
        struct runs final : program {
            void start(process& fresh, int) const override
            {
                fresh.start([&] { return main(*in); });
            }
            function main = nullptr;
            scene* in = nullptr;
        };
        runs what;
        what.main = main;
        what.in = this;
        std::uint64_t failed = 0;
        {
            (void)os::ignore_sigpipe(); // as a server does
            kernel::pointer here = kernel::make(test::kernel_options_here());
            REQUIRE(here->start(what));
            here->run();
            connects = here->count().connects;
            failed = here->count().processes_failed;
        }
        in.settle();
        CHECK(in.complaints() == std::vector<std::string>{});
        CHECK(in.open_fds() == 0);
        CHECK(in.mapped_bytes() == 0);
        CHECK(failed == 0);
    }

    sim::world in;
    http::upstream there;
    std::uint64_t connects = 0;

    // What a test wants, and what came.
    client_request wanted = {};
    std::string answer = {};
    std::string error = {};
    int code = 0;
    int status = 0;
    unsigned idle = 0;
    bool reused = false;
};

// Ask for `wanted`, and note what comes.
task<> fetch(client& from, scene& all)
{
    all.status = all.code = 0;
    all.answer.clear();
    all.error.clear();
    try {
        exchange one(from);
        co_await one.send(all.wanted);
        auto& head = co_await one.response();
        all.status = head.status();
        all.reused = one.reused();
        for (;;) {
            std::string_view part = co_await one.part();
            if (part.empty())
                break;
            all.answer += part;
        }
        CHECK(one.ended());
        CHECK(head.status() == all.status);
        std::string_view again = co_await one.part();
        CHECK(again.empty());
    } catch (const vk::error& e) {
        all.code = e.code().value();
        all.error = e.what();
    }
    all.idle = from.idle();
}

task<> fetch_once(scene& all)
{
    client from(all.there);
    co_await fetch(from, all);
}

task<> fetch_twice(scene& all)
{
    client from(all.there);
    co_await fetch(from, all);
    CHECK(all.error.empty());
    co_await sleep_for(5ms);
    co_await fetch(from, all);
}

sim::client& receive_head(sim::client& script, std::size_t lines = 3)
{
    for (std::size_t i = 0; i < lines; ++i)
        script.receive_line();
    return script;
}

struct sample {
    const char* what;
    const char* method;
    const char* bytes;
    int status;
    const char* answer;
    bool kept;
};

constexpr std::array samples{
    sample{"a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello",
           true},
    sample{"no body", "GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", true},
    sample{"chunks", "GET",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n7;name=\"value\"\r\n, world\r\n0\r\n\r\n",
           200, "hello, world", true},
    sample{"trailers", "GET",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n"
           "2\r\nhi\r\n0\r\nSum: 1\r\nOther: 2\r\n\r\n",
           200, "hi", true},
    sample{"an empty chunked body", "GET",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true},
    sample{"an end by closing", "GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end",
           false},
    sample{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false},
    sample{"HTTP/1.0 that is kept", "GET",
           "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
           true},
    sample{"a close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
           200, "hi", false},
    sample{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 200, "", true},
    sample{"HEAD, chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200,
           "", true},
    sample{"204", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
    sample{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, "", true},
    sample{"interim responses", "GET",
           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
           200, "hi", true},
};

} // namespace

// --- one response -----------------------------------------------------------------------------------

TEST_CASE("the client sends a request in one write and reads its response")
{
    scene all;
    const std::array more{field{"Accept", "text/plain"}, field{"X-Empty", ""}};
    all.wanted.target = "/hello?x=1";
    all.wanted.fields = more;
    auto& server = receive_head(all.serve(), 5).send(samples[0].bytes).receive_end();
    all.run(fetch_once);
    CHECK(server.received() == "GET /hello?x=1 HTTP/1.1\r\n"
                               "Host: 10.0.0.1:80\r\n"
                               "Accept: text/plain\r\n"
                               "X-Empty: \r\n\r\n");
    CHECK(all.error == "");
    CHECK(all.status == 200);
    CHECK(all.answer == "hello");
    CHECK(all.idle == 1);
    CHECK(all.in.count(sim::call::write) + all.in.count(sim::call::uring_send) == 1);
}

TEST_CASE("each kind of response is the same for every way of splitting it")
{
    for (const sample& one : samples) {
        const std::string bytes = one.bytes;
        // In pieces of each length; then in two, at each place.
        for (std::size_t cut = 1; cut < 2 * bytes.size(); ++cut) {
            scene all;
            all.wanted.method = one.method;
            auto& server = receive_head(all.serve());
            if (cut <= bytes.size())
                server.send_cut(bytes, cut, 50us);
            else
                server.send(bytes.substr(0, cut - bytes.size()))
                    .after(50us)
                    .send(bytes.substr(cut - bytes.size()));
            if (one.kept)
                server.receive_end();
            server.close();
            all.run(fetch_once);
            INFO(one.what << ", cut " << cut);
            CHECK(all.error == "");
            CHECK(all.status == one.status);
            CHECK(all.answer == one.answer);
            CHECK(all.idle == (one.kept ? 1 : 0));
        }
    }
}

TEST_CASE("a response that breaks off is an error wherever it does, and no connection is kept")
{
    for (const sample& one : samples) {
        const std::string bytes = one.bytes;
        const std::size_t body_until_end = bytes.find("until the end");
        const std::size_t whole = std::min(bytes.size(), body_until_end);
        for (std::size_t length = 0; length < whole; ++length) {
            scene all;
            all.wanted.method = one.method;
            receive_head(all.serve()).send(bytes.substr(0, length)).close();
            all.run(fetch_once);
            INFO(one.what << ", " << length << " bytes");
            CHECK(all.code == EBADMSG);
            CHECK(all.idle == 0);
            CHECK(all.connects == 1);
        }
    }
}

TEST_CASE("what is no response is an error, and the connection is closed")
{
    for (const char* bytes : {
             "hello\r\n\r\n",
             "HTTP/2.0 200 OK\r\n\r\n",
             "HTTP/1.1 099 Low\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixx0\r\n\r\n",
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
         }) {
        scene all;
        receive_head(all.serve()).send(bytes).receive_end().close();
        all.run(fetch_once);
        INFO(bytes);
        CHECK(all.code == EBADMSG);
        CHECK(all.idle == 0);
    }
}

TEST_CASE("the limits of a response are kept")
{
    client_options how;
    how.bounds.head_bytes = 1000;
    how.bounds.body_bytes = 100;
    const std::string head = "HTTP/1.1 200 OK\r\n";
    std::string endless;
    for (int i = 0; i < 100; ++i)
        endless += "HTTP/1.1 100 Continue\r\n\r\n";
    const std::string much(101, 'x');
    for (const std::string& bytes : {
             head + "X: " + std::string(1000, 'x') + "\r\nContent-Length: 0\r\n\r\n",
             head + "Content-Length: 101\r\n\r\n" + much,
             head + "Transfer-Encoding: chunked\r\n\r\n65\r\n" + much,
             head + "\r\n" + much,
             endless,
         }) {
        scene all(how);
        receive_head(all.serve()).send(bytes).receive_end().close();
        all.run(fetch_once);
        INFO(bytes.substr(0, 50));
        CHECK(all.code == EBADMSG);
        CHECK(all.idle == 0);
    }
    for (const std::string& bytes :
         {head + "Content-Length: 100\r\n\r\n" + much.substr(1), head + "\r\n" + much.substr(1)}) {
        scene all(how);
        receive_head(all.serve()).send(bytes).close();
        all.run(fetch_once);
        CHECK(all.error == "");
        CHECK(all.answer.size() == 100);
    }
}

TEST_CASE("a head larger than a page, and a body larger than the rings, are read whole")
{
    scene all;
    const std::string body(200'000, 'b');
    receive_head(all.serve())
        .send("HTTP/1.1 200 OK\r\n")
        .send(fmt::format("X: {}\r\nY: {}\r\n", std::string(8000, 'x'), std::string(8000, 'y')))
        .send(fmt::format("Z: {}\r\n", std::string(8000, 'z')))
        .send(fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body))
        .receive_end();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        {
            exchange one(from);
            co_await one.send(in.wanted);
            auto& head = co_await one.response();
            std::string rest(250'000, '\0');
            char few[10];
            std::size_t first = co_await one.read(std::span(few));
            std::size_t count = co_await one.read(std::span(rest));
            CHECK(first == 10);
            in.answer = rest.substr(0, count);
            CHECK(head.field("y") == std::string(8000, 'y'));
            CHECK(head.field("z") == std::string(8000, 'z'));
        }
        in.idle = from.idle();
    });
    CHECK(all.answer == body.substr(10));
    CHECK(all.idle == 1);
}

TEST_CASE("a server that says nothing is an error in time")
{
    client_options how;
    how.timeout = 20ms;
    scene all(how);
    receive_head(all.serve()).after(100ms).send(samples[0].bytes).close();
    all.run(fetch_once);
    CHECK(all.code == ETIMEDOUT);
    CHECK(all.idle == 0);
}

TEST_CASE("a server that is not there is an error")
{
    scene all;
    all.run(fetch_once);
    CHECK(all.code == ECONNREFUSED);
}

// --- connections that are kept ----------------------------------------------------------------------

TEST_CASE("a connection is used again")
{
    for (const sample& one : samples) {
        scene all;
        all.wanted.method = one.method;
        auto& first = receive_head(all.serve()).send(one.bytes);
        if (one.kept)
            receive_head(first).send(one.bytes).receive_end();
        first.close();
        if (!one.kept)
            receive_head(all.serve("second")).send(one.bytes).close();
        all.run(fetch_twice);
        INFO(one.what);
        CHECK(all.error == "");
        CHECK(all.status == one.status);
        CHECK(all.answer == one.answer);
        CHECK(all.reused == one.kept);
        CHECK(all.connects == (one.kept ? 1 : 2));
    }
}

TEST_CASE("a connection that the server closed while it was idle, or spoke on, is not used again")
{
    for (bool speaks : {false, true}) {
        scene all;
        all.wanted.method = "POST"; // which would not be repeated
        auto& first = receive_head(all.serve(), 4).send(samples[0].bytes).after(1ms);
        if (speaks) // out of turn (RFC 9112, 9.2)
            first.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        else
            first.close();
        receive_head(all.serve("second"), 4).send(samples[2].bytes);
        all.run(fetch_twice);
        CHECK(all.error == "");
        CHECK(all.answer == "hello, world");
        CHECK_FALSE(all.reused);
        CHECK(all.connects == 2);
    }
}

TEST_CASE("bytes behind a response end the connection")
{
    for (const sample& one : samples) {
        if (!one.kept)
            continue;
        scene all;
        all.wanted.method = one.method;
        const std::string surplus = "HTTP/1.1 200 OK\r\n\r\nmine";
        receive_head(all.serve()).send(one.bytes + surplus).receive_end();
        all.run(fetch_once);
        INFO(one.what);
        CHECK(all.error == "");
        CHECK(all.answer == one.answer);
        CHECK(all.idle == 0);
    }
}

TEST_CASE("a request that met the end of an idle connection is repeated once, if it can do no harm")
{
    // The server closes, or resets, when the second request has come: no byte of an answer.
    for (const std::string_view method : {"GET", "PUT", "POST", "PATCH"}) {
        for (bool reset : {false, true}) {
            const bool harmless = method == "GET" || method == "PUT";
            const std::size_t lines = method == "GET" ? 3 : 5;
            scene all;
            all.wanted.method = method;
            if (lines > 3)
                all.wanted.body = "body\n";
            auto& first = receive_head(all.serve(), lines).send(samples[0].bytes).receive_line();
            if (reset)
                first.reset();
            else
                first.close();
            auto& second = receive_head(all.serve("second"), lines).send(samples[2].bytes);
            all.run(fetch_twice);
            INFO(method << (reset ? ", reset" : ", closed") << ": " << all.error);
            CHECK(all.error.empty() == harmless);
            CHECK(all.connects == (harmless ? 2 : 1));
            CHECK(second.completed() == harmless);
            if (harmless) {
                CHECK(all.answer == "hello, world");
                CHECK_FALSE(all.reused);
                CHECK(first.received().starts_with(second.received()));
            } else {
                CHECK((all.code == EBADMSG || all.code == ECONNRESET || all.code == EPIPE));
            }
        }
    }
}

TEST_CASE(
    "a request is repeated neither on a fresh connection, nor once an answer began, nor twice")
{
    {
        scene all;
        receive_head(all.serve()).close();
        receive_head(all.serve("second")).send(samples[0].bytes);
        all.run(fetch_once);
        CHECK(all.code == EBADMSG);
        CHECK(all.connects == 1);
    }
    {
        scene all;
        receive_head(receive_head(all.serve()).send(samples[0].bytes)).send("HTTP/1.1 2").close();
        receive_head(all.serve("second")).send(samples[0].bytes);
        all.run(fetch_twice);
        CHECK(all.code == EBADMSG);
        CHECK(all.connects == 1);
    }
    {
        scene all;
        receive_head(receive_head(all.serve()).send(samples[0].bytes)).close();
        receive_head(all.serve("second")).close();
        receive_head(all.serve("third")).send(samples[0].bytes);
        all.run(fetch_twice);
        CHECK(all.code == EBADMSG);
        CHECK(all.connects == 2);
    }
}

TEST_CASE("a request is not repeated once an interim response has come")
{
    scene all;
    receive_head(receive_head(all.serve()).send(samples[0].bytes))
        .send("HTTP/1.1 100 Continue\r\n\r\n")
        .close();
    receive_head(all.serve("second")).send(samples[0].bytes);
    all.run(fetch_twice);
    CHECK(all.code == EBADMSG);
    CHECK(all.connects == 1);
}

TEST_CASE("no more idle connections are kept than wanted, and none for longer than wanted")
{
    client_options how;
    how.idle_max = 2;
    how.idle_timeout = 50ms;
    scene all(how);
    for (int i = 0; i < 4; ++i)
        receive_head(all.serve(fmt::format("server {}", i)))
            .after(1ms)
            .send(samples[0].bytes)
            .receive_end();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        {
            exchange a(from);
            exchange b(from);
            exchange c(from);
            const std::array several{&a, &b, &c};
            for (exchange* one : several)
                co_await one->send(in.wanted);
            for (exchange* one : several) {
                auto& head = co_await one->response();
                CHECK(head.status() == 200);
                std::string_view body = co_await one->part();
                CHECK(body == "hello");
            }
            CHECK(from.idle() == 0);
        }
        CHECK(from.idle() == 2);
        co_await sleep_for(60ms);
        co_await fetch(from, in);
        CHECK(in.error == "");
        CHECK_FALSE(in.reused);
        CHECK(from.idle() == 1);
        from.close_idle();
        CHECK(from.idle() == 0);
    });
    CHECK(all.connects == 4);
}

TEST_CASE("no idle connection is kept where none is wanted")
{
    client_options how;
    how.idle_max = 0;
    scene all(how);
    receive_head(all.serve()).send(samples[0].bytes).receive_end();
    all.run(fetch_once);
    CHECK(all.answer == "hello");
    CHECK(all.idle == 0);
}

TEST_CASE("a response that is not read to its end costs the connection, and nothing else")
{
    scene all;
    receive_head(all.serve()).send(samples[2].bytes).receive_end();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        {
            exchange one(from);
            co_await one.send(in.wanted);
            auto& head = co_await one.response();
            CHECK(head.status() == 200);
        }
        CHECK(from.idle() == 0);
        exchange never_sent(from);
        CHECK_FALSE(never_sent.ended());
    });
}

TEST_CASE("a thousand requests use no more of the heap than ten")
{
    scene all;
    auto& server = all.serve();
    for (int i = 0; i < 1000; ++i)
        receive_head(server).send(samples[2].bytes);
    server.receive_end();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        std::size_t pages = 0;
        for (int i = 0; i < 1000; ++i) {
            co_await fetch(from, in);
            if (i == 10)
                pages = process::current().heap().pages_high_water();
        }
        CHECK(in.error == "");
        CHECK(process::current().heap().pages_high_water() == pages);
    });
    CHECK(all.connects == 1);
}

TEST_CASE("the client of a process outlasts the threads that use it, and ends with the process")
{
    struct asking {
        static task<> run(scene* in)
        {
            client& from = client::of_process(in->there);
            CHECK(&from == &client::of_process(in->there));
            co_await fetch(from, *in);
        }
    };
    scene all;
    receive_head(receive_head(all.serve()).send(samples[2].bytes))
        .send(samples[2].bytes)
        .receive_end();
    all.run([](scene& in) -> task<> {
        for (int i = 0; i < 2; ++i) {
            thread_handle one = spawn(asking::run, &in);
            co_await one.join();
            CHECK(in.answer == "hello, world");
            CHECK(in.reused == (i == 1));
        }
    });
    CHECK(all.connects == 1);
    CHECK(all.idle == 1);
}

// --- requests with a body ---------------------------------------------------------------------------

TEST_CASE("a body at hand is sent with its length, and none where there is none to send")
{
    struct body_sample {
        const char* method;
        const char* body;
        const char* expected;
    };
    constexpr std::array cases{
        body_sample{"POST", "hello\n", "Content-Length: 6\r\n\r\nhello\n"},
        body_sample{"POST", "", "Content-Length: 0\r\n\r\n"},
        body_sample{"PATCH", "", "Content-Length: 0\r\n\r\n"},
        body_sample{"GET", "", "\r\n"},
        body_sample{"DELETE", "", "\r\n"},
        body_sample{"PURGE", "", "\r\n"},
    };
    for (const body_sample& one : cases) {
        scene all;
        all.wanted.method = one.method;
        all.wanted.body = one.body;
        auto& server = all.serve();
        const std::string request =
            fmt::format("{} / HTTP/1.1\r\nHost: 10.0.0.1:80\r\n{}", one.method, one.expected);
        server.receive(request.size()).send(samples[0].bytes).receive_end();
        all.run(fetch_once);
        CHECK(server.received() == request);
        CHECK(all.answer == "hello");
        CHECK(all.idle == 1);
    }
}

TEST_CASE("a body is streamed, by its length or in chunks")
{
    for (bool chunked : {false, true}) {
        scene all;
        all.wanted.method = "POST";
        all.wanted.chunked = chunked;
        if (!chunked)
            all.wanted.length = 30'010;
        auto& server = all.serve();
        std::string request = "POST / HTTP/1.1\r\nHost: 10.0.0.1:80\r\n";
        const std::string a(10, 'a');
        const std::string b(30'000, 'b');
        if (chunked)
            request += "Transfer-Encoding: chunked\r\n\r\na\r\n" + a + "\r\n7530\r\n" + b +
                       "\r\n0\r\n\r\n";
        else
            request += "Content-Length: 30010\r\n\r\n" + a + b;
        server.receive(request.size()).send(samples[0].bytes).receive_end();
        all.run([](scene& in) -> task<> {
            client from(in.there);
            {
                exchange one(from);
                co_await one.send(in.wanted);
                bool taken = co_await one.write("aaaaaaaaaa");
                CHECK(taken);
                taken = co_await one.write("");
                CHECK(taken);
                const std::string large(30'000, 'b');
                taken = co_await one.write(large);
                CHECK(taken);
                co_await one.finish();
                auto& head = co_await one.response();
                CHECK(head.status() == 200);
                std::string_view body = co_await one.part();
                CHECK(body == "hello");
            }
            CHECK(from.idle() == 1);
        });
        CHECK(server.received() == request);
    }
}

TEST_CASE("a server that answers before it has the body, and closes, is heard")
{
    scene all;
    all.wanted.method = "POST";
    all.wanted.length = 10'000'000;
    receive_head(all.serve(), 4)
        .send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n")
        .send("Content-Length: 3\r\n\r\nno!")
        .close();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        exchange one(from);
        co_await one.send(in.wanted);
        const std::string much(100'000, 'x');
        bool taken = true;
        int parts = 0;
        for (; taken && parts < 100; ++parts)
            taken = co_await one.write(much);
        CHECK(parts < 100);
        auto& head = co_await one.response();
        CHECK(head.status() == 413);
        std::string_view body = co_await one.part();
        CHECK(body == "no!");
    });
}

TEST_CASE(
    "an answer that came before the connection broke is heard, though nobody waited for the write")
{
    scene all;
    all.wanted.method = "POST";
    all.wanted.length = 100;
    receive_head(all.serve(), 4)
        .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        .close();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        exchange one(from);
        co_await one.send(in.wanted);
        for (int i = 0; i < 3; ++i) {
            co_await sleep_for(5ms); // what is written leaves meanwhile, and breaks
            (void)co_await one.write("x");
        }
        co_await sleep_for(5ms);
        auto& head = co_await one.response();
        CHECK(head.status() == 413);
    });
}

TEST_CASE("a server that answers before it has the body is heard, and its connection is not kept")
{
    scene all;
    all.wanted.method = "POST";
    all.wanted.chunked = true;
    receive_head(all.serve(), 4).send(samples[0].bytes).receive_end();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        {
            exchange one(from);
            co_await one.send(in.wanted);
            bool taken = co_await one.write("some");
            CHECK(taken);
            auto& head = co_await one.response();
            CHECK(head.status() == 200);
            std::string_view body = co_await one.part();
            CHECK(body == "hello");
            body = co_await one.part();
            CHECK(body.empty());
        }
        CHECK(from.idle() == 0);
    });
}

TEST_CASE("a body can be sent by one thread while another reads the response")
{
    // More than all buffers hold, in both directions at once.
    struct both {
        static task<> upload(exchange* one)
        {
            const std::string part(10'000, 'x');
            bool taken = true;
            for (int i = 0; i < 100 && taken; ++i)
                taken = co_await one->write(part);
            CHECK(taken);
            co_await one->finish();
        }
    };
    scene all;
    all.wanted.method = "POST";
    all.wanted.length = 1'000'000;
    auto& server = receive_head(all.serve(), 4);
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    for (int i = 0; i < 100; ++i)
        server.receive(10'000).send(std::string(10'000, 'y'));
    server.receive_end();
    all.run([](scene& in) -> task<> {
        client from(in.there);
        {
            exchange one(from);
            co_await one.send(in.wanted);
            thread_handle uploading = spawn(both::upload, &one);
            auto& head = co_await one.response();
            CHECK(head.status() == 200);
            std::size_t count = 0;
            for (;;) {
                std::string_view part = co_await one.part();
                if (part.empty())
                    break;
                count += part.size();
            }
            CHECK(count == 1'000'000);
            co_await uploading.join();
        }
        CHECK(from.idle() == 1);
    });
}

// --- what is sent -----------------------------------------------------------------------------------

TEST_CASE("a request in which another could hide is not sent")
{
    const std::array cases{
        client_request{.method = "GET / HTTP/1.1\r\n"},
        client_request{.method = ""},
        client_request{.method = "CONNECT"},
        client_request{.target = ""},
        client_request{.target = "/ HTTP/1.1\r\nX: y"},
        client_request{.target = std::string_view("/\0", 2)},
        client_request{.host = "a\r\nX: y"},
        client_request{.body = "x", .length = 1},
        client_request{.length = 1, .chunked = true},
    };
    for (const client_request& one : cases) {
        scene all;
        all.wanted = one;
        all.run(fetch_once);
        INFO(one.method << " " << one.target);
        CHECK(all.code == EINVAL);
        CHECK(all.connects == 0);
    }
    const std::array bad_fields{
        field{"X", "a\r\nb: c"},
        field{"X\r\n", "a"},
        field{"", "a"},
        field{"X:", "a"},
        field{"Content-Length", "1"},
        field{"transfer-encoding", "chunked"},
        field{"Host", "a"},
        field{"Connection", "close"},
    };
    for (const field& one : bad_fields) {
        scene all;
        all.wanted.fields = std::span(&one, 1);
        all.run(fetch_once);
        INFO(one.name);
        CHECK(all.code == EINVAL);
    }
}

TEST_CASE("fields that are forwarded are those that are not of their connection")
{
    const std::string_view block = "Host: elsewhere\r\n"
                                   "Accept: */*\r\n"
                                   "Connection: keep-alive , X-Mine\r\n"
                                   "X-MINE: secret\r\n"
                                   "X-Mine-Too: 1\r\n"
                                   "Keep-Alive: 5\r\n"
                                   "TE: trailers\r\n"
                                   "Content-Length: 7\r\n"
                                   "Expect: 100-continue\r\n"
                                   "Connection: x-other\r\n"
                                   "x-Other: secret\r\n"
                                   "Cookie: a=b\r\n";
    scene all;
    const std::array via{field{"Via", "1.1 vk"}};
    all.wanted.host = "example.org";
    all.wanted.fields = via;
    all.wanted.forwarded = fields(block);
    auto& server = receive_head(all.serve(), 7).send(samples[0].bytes).receive_end();
    all.run(fetch_once);
    CHECK(server.received() == "GET / HTTP/1.1\r\nHost: example.org\r\n"
                               "Accept: */*\r\nX-Mine-Too: 1\r\nCookie: a=b\r\n"
                               "Via: 1.1 vk\r\n\r\n");
    CHECK(all.error == "");
}

TEST_CASE("a list of names is searched by whole names")
{
    CHECK(lists("close", "close"));
    CHECK(lists("a, Close ,b", "close"));
    CHECK(lists(",,\tclose", "CLOSE"));
    CHECK_FALSE(lists("", "close"));
    CHECK_FALSE(lists("closed", "close"));
    CHECK_FALSE(lists("not close", "close"));
    CHECK_FALSE(lists("clos,e", "close"));
}

// --- a bad day --------------------------------------------------------------------------------------

TEST_CASE("no schedule harms a response")
{
    for (const std::uint64_t seed : sim::seeds(60)) {
        for (const sample& one : samples) {
            sim::options how;
            how.seed = seed;
            how.jitter_ns = 50'000;
            how.noise = sim::noise::all(seed % 2 == 0 ? 0.05 : 0.2);
            scene all({}, how);
            all.wanted.method = one.method;
            auto& server = receive_head(all.serve()).send_random(one.bytes, 10us);
            if (one.kept)
                receive_head(server).send_random(one.bytes, 10us).receive_end();
            server.close();
            if (!one.kept)
                receive_head(all.serve("second")).send_random(one.bytes, 10us).close();
            all.run(fetch_twice);
            INFO("VK_SEED=" << seed << ", " << one.what << "\n" << all.in.trace(50));
            CHECK(all.error == "");
            CHECK(all.status == one.status);
            CHECK(all.answer == one.answer);
        }
    }
}

namespace {

void play(scene& all)
{
    for (const char* name : {"first", "second"}) {
        auto& server = receive_head(all.serve(name)).send(samples[2].bytes);
        receive_head(server).send(samples[2].bytes).receive_end();
    }
    all.run([](scene& in) -> task<> {
        client from(in.there);
        for (int i = 0; i < 2; ++i) {
            co_await fetch(from, in);
            CHECK((!in.error.empty() || in.answer == "hello, world"));
        }
    });
}

} // namespace

TEST_CASE(
    "each system call of two requests fails once: the answer or an error, and nothing is left")
{
    const auto calls = [] {
        scene before;
        play(before);
        return before.in.calls();
    }();
    const auto first = std::find_if(calls.begin(), calls.end(), [](const sim::call_record& one) {
        return one.what == sim::call::socket;
    });
    for (auto at = static_cast<std::size_t>(first - calls.begin()); at < calls.size(); ++at) {
        using sim::call;
        const call what = calls[at].what;
        if (what == call::mask || what == call::unmask || what == call::unmap)
            continue; // see echo_sim_test
        for (const int error : calls[at].errors) {
            if (error == -calls[at].result)
                continue;
            client_options how;
            how.connect_timeout = how.timeout = 50ms;
            scene all(how);
            all.in.fail_call(at, error);
            INFO("call " << at << ", " << sim::name_of(what) << ", fails with "
                         << sim::name_of_error(error));
            play(all);
            if (sim::is_transient(error))
                CHECK(all.error == "");
        }
    }
}

} // namespace vk::http
