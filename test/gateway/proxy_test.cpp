// The proxy on the simulated operating system: an HTTP server between clients and a server behind it, all of them
// scripts. VK_SEED=7 runs that seed alone; VK_SIM_TRACE=1 prints the calls.

#include "support/catch.hpp"
#include "support/isolation.hpp"
#include "support/sim/sim.hpp"

#include <vk/base/log.hpp>
#include <vk/gateway/http1/proxy.hpp>
#include <vk/gateway/http1/router.hpp>
#include <vk/gateway/http1/server.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace vk::http {

namespace {

constexpr const char* behind = "10.0.0.1:80";

struct scene {
    explicit scene(const sim::options& system = {}) : in(system)
    {
        log::set_level(log::level::error);
    }

    sim::client& client(std::string name = "client")
    {
        return in.add_client(std::move(name)).connect();
    }

    // The next connection to the server behind is served by this script.
    sim::client& server(std::string name = "server")
    {
        return in.add_client(std::move(name)).accept(behind);
    }

    void run(std::chrono::nanoseconds span = 200ms)
    {
        client_options how;
        how.timeout = 20ms;
        proxy passing(behind, "/app", how);
        site what{passing.answer()};
        server_options options;
        options.listen = "127.0.0.1:8080";
        options.connections_max = 16;
        options.isolation = test::isolation_level();
        options.announce = false;
        in.at(span, [this] { in.signal(SIGTERM); });
        CHECK(serve(options, what) == 0);
        in.settle();
        CHECK(in.complaints() == std::vector<std::string>{});
        CHECK(in.open_fds() == 0);
        CHECK(in.mapped_bytes() == 0);
    }

    sim::world in;
};

sim::client& receive_head(sim::client& script, std::size_t lines)
{
    for (std::size_t i = 0; i < lines; ++i)
        script.receive_line();
    return script;
}

// A response as the client got it, without the line that says the time.
std::string without_date(std::string bytes)
{
    for (;;) {
        std::size_t at = bytes.find("Date: ");
        if (at == bytes.npos)
            return bytes;
        bytes.erase(at, bytes.find('\n', at) + 1 - at);
    }
}

constexpr const char* get = "GET /app/a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n";
constexpr std::size_t get_lines = 5; // as passed on
constexpr const char* ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const std::string passed_ok = "HTTP/1.1 200 OK\r\nVia: 1.1 mnvkd\r\nContent-Length: 5\r\n\r\nhello";

} // namespace

TEST_CASE("a request is passed on, and its answer back, without the fields of either connection")
{
    scene all;
    auto& client = all.client()
                       .send("GET /app/a?b=c HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n"
                             "Connection: X-Hop\r\nX-Hop: secret\r\nKeep-Alive: 5\r\n"
                             "X-Forwarded-For: 192.0.2.1\r\nVia: 1.1 first\r\n\r\n")
                       .receive_end();
    auto& server = receive_head(all.server(), 8)
                       .send("HTTP/1.1 404 Gone Fishing\r\nContent-Length: 5\r\nX-Fish: carp\r\n"
                             "Connection: close, X-Net\r\nX-Net: secret\r\nDate: yesterday\r\n"
                             "Via: 1.1 last\r\n\r\nhello")
                       .close();
    all.run();
    CHECK(server.received() == "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n"
                               "X-Forwarded-For: 192.0.2.1\r\nVia: 1.1 first\r\n"
                               "Via: 1.1 mnvkd\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n");
    CHECK(without_date(client.received()) ==
          "HTTP/1.1 404 Not Found\r\nX-Fish: carp\r\nVia: 1.1 last\r\nVia: 1.1 mnvkd\r\n"
          "Content-Length: 5\r\n\r\nhello");
}

TEST_CASE("a request says how often it may be passed on, and is answered here when that is never")
{
    constexpr const char* asked = "{} /app/a HTTP/1.1\r\nHost: h\r\nMax-Forwards: {}\r\n\r\n";
    for (const char* method : {"OPTIONS", "TRACE"}) {
        scene all;
        auto& client = all.client().send(fmt::format(asked, method, 10)).receive_end();
        auto& server = receive_head(all.server(), get_lines + 1).send(ok).close();
        all.run();
        CHECK(server.received() ==
              fmt::format("{} /a HTTP/1.1\r\nHost: h\r\nVia: 1.1 mnvkd\r\n"
                          "X-Forwarded-For: 127.0.0.1\r\nMax-Forwards: 9\r\n\r\n",
                          method));
        CHECK(without_date(client.received()) == passed_ok);
    }
    for (auto [method, answer] : {std::pair("OPTIONS", "200 OK"), std::pair("TRACE", "501 Not")}) {
        scene all;
        auto& client = all.client().send(fmt::format(asked, method, 0)).half_close().receive_end();
        all.run();
        CHECK(client.received().starts_with(fmt::format("HTTP/1.1 {}", answer)));
    }
    for (const char* none :
         {"1x", "-1", "", "99999999999999999999999"}) { // no number that is known
        scene all;
        auto& client = all.client().send(fmt::format(asked, "OPTIONS", none)).receive_end();
        receive_head(all.server(), get_lines).send(ok).close();
        all.run();
        CHECK(without_date(client.received()) == passed_ok);
    }
}

TEST_CASE("the prefix is taken off the path, and what is left is a path")
{
    struct target {
        const char* sent;
        const char* passed;
    };
    constexpr std::array targets{
        target{"/app/a/b?c", "/a/b?c"},
        target{"/app", "/"},
        target{"/app?x", "/?x"},
        target{"/apple", "/apple"},
        target{"/other/a", "/other/a"},
        target{"/app/%2e%2E//", "/%2e%2E//"},
        target{"http://h/app/a?b", "/a?b"},
        target{"http://h", "/"},
    };
    for (const target& one : targets) {
        scene all;
        all.client()
            .send(fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", one.sent))
            .receive_end();
        auto& server = receive_head(all.server(), get_lines).send(ok).receive_end();
        all.run();
        INFO(one.sent);
        CHECK(server.received().starts_with(fmt::format("GET {} HTTP/1.1\r\n", one.passed)));
    }
}

TEST_CASE("requests of one client use one connection to the server behind")
{
    scene all;
    auto& client = all.client();
    auto& server = all.server();
    for (int i = 0; i < 3; ++i) {
        client.send(get).receive(without_date(passed_ok).size() + 37);
        receive_head(server, get_lines).send(ok);
    }
    server.receive_end();
    client.close();
    all.run();
    CHECK(client.completed());
    CHECK(without_date(client.received()) == passed_ok + passed_ok + passed_ok);
    CHECK(all.in.count(sim::call::connect) == 1);
}

TEST_CASE("pipelined requests are answered in their order")
{
    scene all;
    auto& client = all.client().send(std::string(get) + get + get).half_close().receive_end();
    auto& server = all.server();
    for (int i = 0; i < 3; ++i)
        receive_head(server, get_lines).send(ok);
    all.run();
    CHECK(without_date(client.received()).starts_with(passed_ok + passed_ok + "HTTP/1.1 200 OK"));
}

TEST_CASE("each kind of answer is passed back")
{
    struct answer {
        const char* method;
        const char* bytes;
        const char* passed;
    };
    constexpr std::array answers{
        answer{"GET",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
               "HTTP/1.1 200 OK\r\nVia: 1.1 mnvkd\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n0\r\n\r\n"},
        answer{"GET", "HTTP/1.0 200 OK\r\n\r\nabc",
               "HTTP/1.1 200 OK\r\nVia: 1.0 mnvkd\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n0\r\n\r\n"},
        answer{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
               "HTTP/1.1 200 OK\r\nVia: 1.1 mnvkd\r\nContent-Length: 5\r\n\r\n"},
        answer{"GET", "HTTP/1.1 204 No Content\r\n\r\n",
               "HTTP/1.1 204 No Content\r\nVia: 1.1 mnvkd\r\n\r\n"},
        answer{"GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
               "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nVia: 1.1 mnvkd\r\n\r\n"},
        answer{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
               "HTTP/1.1 200 OK\r\nVia: 1.1 mnvkd\r\nContent-Length: 0\r\n\r\n"},
        answer{"GET",
               "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
               "HTTP/1.1 200 OK\r\nVia: 1.1 mnvkd\r\nContent-Length: 1\r\n\r\na"},
    };
    for (const answer& one : answers) {
        scene all;
        auto& client = all.client()
                           .send(fmt::format("{} /a HTTP/1.1\r\nHost: h\r\n\r\n", one.method))
                           .receive_end();
        receive_head(all.server(), get_lines).send(one.bytes).close();
        all.run();
        INFO(one.method << " " << one.bytes);
        CHECK(without_date(client.received()) == one.passed);
    }
}

TEST_CASE("a server that cannot be reached, or answers nonsense, is 502; one that is silent, 504")
{
    for (int way = 1; way < 4; ++way) {
        scene all;
        auto& client = all.client().send(get).receive_line().receive_line();
        if (way == 1)
            receive_head(all.server(), get_lines).send("SMTP ready\r\n\r\n").receive_end().close();
        if (way == 2)
            receive_head(all.server(), get_lines).close();
        if (way == 3)
            receive_head(all.server(), get_lines).after(50ms).send(ok).close();
        // The client's connection lives on.
        client.after(60ms).send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n").half_close().receive_end();
        receive_head(all.server("next"), get_lines).send(ok).receive_end();
        all.run();
        INFO("way " << way << ": " << client.received());
        CHECK(client.received().starts_with(way == 3 ? "HTTP/1.1 504 Gateway Timeout\r\n"
                                                     : "HTTP/1.1 502 Bad Gateway\r\n"));
        CHECK(client.received().find("HTTP/1.1 200 OK\r\n") != std::string::npos);
    }
    scene all;
    auto& client = all.client().send(get).half_close().receive_end();
    all.run();
    CHECK(client.received().starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
}

TEST_CASE("an answer whose fields are more than can be passed on is 502, and none of them is")
{
    scene all;
    auto& client = all.client().send(get).half_close().receive_end();
    receive_head(all.server(), get_lines)
        .send("HTTP/1.1 200 OK\r\nX-A: a\r\nX-Much: " + std::string(6000, 'x') +
              "\r\nContent-Length: 5\r\n\r\nhello")
        .close();
    all.run();
    CHECK(client.received().starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    CHECK(client.received().find("X-A") == std::string::npos);
}

TEST_CASE("an answer that breaks off breaks off the client's, which cannot take it for whole")
{
    for (const char* bytes :
         {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
        scene all;
        auto& client = all.client().send(get).receive_end();
        receive_head(all.server(), get_lines).send(bytes).close();
        all.run();
        CHECK((client.received().ends_with("\r\n\r\nhello") ||
               client.received().ends_with("\r\n\r\n5\r\nhello\r\n")));
        CHECK(client.completed());
    }
}

TEST_CASE("a body is passed on: at hand, by its length, and in chunks; a client that waits is told "
          "to go on")
{
    const std::string large(60'000, 'x');
    struct body {
        std::string head;
        std::string bytes;
        std::string passed_head;
        std::string passed;
    };
    const std::array bodies{
        body{"Content-Length: 5\r\n", "hello", "Content-Length: 5\r\n", "hello"},
        body{"Content-Length: 60000\r\n", large, "Content-Length: 60000\r\n", large},
        body{"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n",
             "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"},
    };
    for (bool expects : {false, true}) {
        for (const body& one : bodies) {
            scene all;
            auto& client = all.client().send("POST /app/up HTTP/1.1\r\nHost: h\r\n" + one.head +
                                             (expects ? "Expect: 100-continue\r\n\r\n" : "\r\n"));
            if (expects)
                client.receive_line().receive_line();
            client.send(one.bytes).half_close().receive_end();
            const std::string passed = "POST /up HTTP/1.1\r\nHost: h\r\nVia: 1.1 mnvkd\r\n"
                                       "X-Forwarded-For: 127.0.0.1\r\n" +
                                       one.passed_head + "\r\n" + one.passed;
            auto& server = all.server().receive(passed.size()).send(ok).receive_end();
            all.run();
            INFO(one.head << (expects ? "expects" : ""));
            CHECK(server.received() == passed);
            CHECK(client.received().starts_with(
                expects ? "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200" : "HTTP/1.1 200"));
            CHECK(client.received().ends_with("hello"));
        }
    }
}

TEST_CASE("an answer that comes with the body still under way does not hold it up")
{
    // The server behind answers as it reads, more than all buffers hold.
    const std::string part(10'000, 'x');
    scene all;
    auto& client =
        all.client().send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 800000\r\n\r\n");
    for (int i = 0; i < 80; ++i)
        client.send(part);
    client.half_close().receive_end();
    auto& server = receive_head(all.server(), 6);
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 800000\r\n\r\n");
    for (int i = 0; i < 80; ++i)
        server.receive(part.size()).send(part);
    server.receive_end();
    all.run();
    CHECK(client.completed());
    CHECK(server.completed());
    CHECK(client.received().size() > 800'000);
    CHECK(client.received().ends_with(part + part));
}

TEST_CASE("a server that refuses a body before it has all of it is heard")
{
    scene all;
    auto& client =
        all.client().send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 800000\r\n\r\n");
    client.send(std::string(100'000, 'x')).receive_line().receive_end();
    receive_head(all.server(), 6)
        .send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        .close();
    all.run();
    CHECK(client.received().starts_with("HTTP/1.1 413 Content Too Large\r\n"));
    CHECK(client.received().find("\r\n\r\nno") != std::string::npos);
}

TEST_CASE("a client whose body is malformed, or breaks off, is the one to blame")
{
    for (bool malformed : {true, false}) {
        scene all;
        auto& client = all.client().send(
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        client.after(1ms);
        if (malformed)
            client.send("nonsense\r\n");
        std::chrono::nanoseconds answered{0};
        client.half_close().receive_line().then([&](sim::client&) { answered = all.in.elapsed(); });
        client.receive_end();
        auto& server = all.server().receive_end();
        all.run();
        INFO(client.received());
        CHECK(answered < 10ms); // and not when the server behind is given up
        CHECK(client.received().starts_with("HTTP/1.1 400 Bad Request\r\n"));
        CHECK(server.received().find("0\r\n\r\n") == std::string::npos); // it is not a whole one
    }
}

TEST_CASE("a client that goes away ends its request, and no other")
{
    scene all;
    all.client("leaves").send(get).after(1ms).reset();
    receive_head(all.server(), get_lines).after(2ms).send(ok).receive_end();
    auto& stays = all.client("stays").after(5ms).send(get).half_close().receive_end();
    receive_head(all.server("second"), get_lines).send(ok).receive_end();
    all.run();
    CHECK(without_date(stays.received()).find("hello") != std::string::npos);
}

TEST_CASE("no tunnels are made")
{
    scene all;
    auto& client =
        all.client().send("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n").half_close().receive_end();
    all.run();
    CHECK(client.received().starts_with("HTTP/1.1 501 Not Implemented\r\n"));
}

namespace {

void play(scene& all)
{
    auto& client = all.client().send(get);
    client.send("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n");
    client.send(std::string(20'000, 'b')).half_close().receive_end();
    for (const char* name : {"first", "second", "third"}) { // were one not to be kept
        auto& server = receive_head(all.server(name), get_lines).send(ok);
        receive_head(server, 6).receive(20'000).send(ok).receive_end();
    }
    all.run();
}

} // namespace

TEST_CASE("each system call of two requests that pass fails once: an answer, or none, and nothing "
          "is left")
{
    const auto calls = [] {
        scene before;
        play(before);
        return before.in.calls();
    }();
    bool serving = false;
    for (std::size_t at = 0; at < calls.size(); ++at) {
        using sim::call;
        const call what = calls[at].what;
        serving = serving || what == call::epoll_wait || what == call::poll;
        if (!serving || what == call::mask || what == call::unmask || what == call::unmap)
            continue; // see echo_sim_test
        for (const int error : calls[at].errors) {
            if (error == -calls[at].result)
                continue;
            scene all;
            all.in.fail_call(at, error);
            INFO("call " << at << ", " << sim::name_of(what) << ", fails with "
                         << sim::name_of_error(error));
            play(all);
            CHECK(all.in.calls().size() < calls.size() + 200); // it does not spin
        }
    }
}

TEST_CASE("no schedule harms what passes through")
{
    for (const std::uint64_t seed : sim::seeds(200)) {
        sim::options how;
        how.seed = seed;
        how.jitter_ns = 50'000;
        how.noise = sim::noise::all(seed % 2 == 0 ? 0.05 : 0.2);
        scene all(how);
        const std::string body(20'000, 'b');
        auto& client = all.client();
        client.send(get).send_random("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n",
                                     10us);
        client.send(body).send_random(
            "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            10us);
        client.half_close().receive_end();
        for (const char* name : {"first", "second", "third"}) { // were one not to be kept
            auto& server = receive_head(all.server(name), get_lines).send_random(ok, 10us);
            receive_head(server, 6).receive(body.size()).send_random(ok, 10us);
            receive_head(server, 6).receive_line().receive_line().receive_line().receive_line();
            server.receive_line().receive_line().send_random(ok, 10us).receive_end();
        }
        all.run();
        INFO("VK_SEED=" << seed << "\n" << all.in.trace(40));
        std::string last = "HTTP/1.1 200 OK\r\nConnection: close\r\nVia: 1.1 "
                           "mnvkd\r\nContent-Length: 5\r\n\r\nhello";
        const std::string came = without_date(client.received());
        CHECK((came == passed_ok + passed_ok + passed_ok || came == passed_ok + passed_ok + last));
    }
}

} // namespace vk::http
