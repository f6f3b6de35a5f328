// vk-http: an HTTP/1.1 server that shows what the gateway does.

#include "access_log.hpp"
#include "fault_routes.hpp"
#include "options/server_options.hpp"

#include <vk/http.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>

namespace http = vk::http;

namespace {

// The decimal value of `name` in a query ("a=1&b=2"), or `otherwise`.
std::uint64_t number_in(std::string_view query, std::string_view name, std::uint64_t otherwise)
{
    while (!query.empty()) {
        std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        if (!pair.starts_with(name) || pair.substr(name.size(), 1) != "=")
            continue;
        pair.remove_prefix(name.size() + 1);
        std::uint64_t value = 0;
        auto read = std::from_chars(pair.data(), pair.data() + pair.size(), value);
        if (read.ec != std::errc() || read.ptr != pair.data() + pair.size())
            throw http::error(400, std::string(name) + " must be a number");
        return value;
    }
    return otherwise;
}

vk::task<> plaintext(http::request&, http::response& res)
{
    co_await res.send("Hello, World!", "text/plain");
}

vk::task<> json(http::request&, http::response& res)
{
    nlohmann::json message{{"message", "Hello, World!"}};
    co_await res.send(message.dump(), "application/json");
}

// The body, as it comes.
vk::task<> echo(http::request& req, http::response& res)
{
    if (auto type = req.field("Content-Type"))
        res.type(*type);
    if (auto length = req.content_length())
        res.length(*length);
    for (;;) {
        std::string_view piece = co_await req.read_piece();
        if (piece.empty())
            co_return;
        co_await res.write(piece);
    }
}

// `n` numbered lines, as many as the client takes.
vk::task<> stream(http::request& req, http::response& res)
{
    std::uint64_t lines = number_in(req.query(), "n", 10);
    res.type("text/plain");
    if (req.method() == http::method::head)
        lines = 0;
    for (std::uint64_t line = 0; line < lines; ++line) {
        char text[32];
        auto end = fmt::format_to(text, "Line {}\n", line);
        co_await res.write(std::string_view(text, static_cast<std::size_t>(end - text)));
    }
}

struct http_options {
    http::settings how;
    std::string root;
    std::string upstream;
    std::string access_log;
    bool allow_faults = false;
};

void add_to(apps::program& program, http_options& options)
{
    CLI::App& line = program.command_line();
    line.add_option("--root", options.root, "serve this directory as /static/")
        ->check(CLI::ExistingDirectory)
        ->type_name("DIR");
    line.add_option("--upstream", options.upstream, "pass /proxy/ on to the server at this address")
        ->type_name("ADDRESS");
    line.add_option("--access-log", options.access_log,
                    "append a line for each request (-: standard output)")
        ->type_name("FILE");
    line.add_flag("--allow-faults", options.allow_faults,
                  "let GET /fault?kind=K commit a fault (GET /fault lists them)");
    program.add_seconds("--header-timeout", options.how.header_timeout,
                        "time for the head of a request");
    program.add_seconds("--transfer-timeout", options.how.transfer_timeout,
                        "time in which a byte of a body must move");
    program.add_seconds("--idle-timeout", options.how.idle_timeout, "time between two requests");
    line.add_option("--requests", options.how.requests_max,
                    "requests of a connection at most (0: any number)")
        ->type_name("N");
}

} // namespace

int main(int argc, char** argv)
try {
    apps::program program("vk-http", "An HTTP/1.1 server.");
    http_options options;
    add_to(program, options);
    if (!program.parse(argc, argv))
        return program.status();

    http::router routes;
    routes.get("/plaintext", plaintext)
        .get("/json", json)
        .post("/echo", echo)
        .put("/echo", echo)
        .get("/stream", stream);
    std::optional<http::files> files;
    if (!options.root.empty())
        routes.get("/static/{path...}", files.emplace(options.root).answer());
    std::optional<http::proxy> proxy;
    if (!options.upstream.empty()) {
        using http::method;
        proxy.emplace(options.upstream, "/proxy");
        for (auto which : {method::get, method::head, method::post, method::put, method::patch,
                           method::delete_, method::options})
            routes.add(which, "/proxy/{path...}", proxy->answer());
    }
    if (options.allow_faults)
        routes.get("/fault", apps::fault_routes::answer);
    if (!options.access_log.empty()) {
        apps::access_log::open(options.access_log);
        options.how.answered = apps::access_log::write;
        program.options().ended = apps::access_log::close;
    }
    http::site site{routes.answer(), options.how};
    return program.serve({http::serve_connection, site});
} catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
}
