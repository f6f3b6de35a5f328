// vk-http: an HTTP/1.1 server that shows what the gateway does.

#include "options/server_options.hpp"

#include <vk/http.hpp>

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdint>
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

} // namespace

int main(int argc, char** argv)
{
    apps::program program("vk-http", "An HTTP/1.1 server.");
    http::settings how;
    std::string root;
    program.command_line()
        .add_option("--root", root, "serve this directory as /static/")
        ->check(CLI::ExistingDirectory)
        ->type_name("DIR");
    program.add_seconds("--header-timeout", how.header_timeout, "time for the head of a request");
    program.add_seconds("--transfer-timeout", how.transfer_timeout,
                        "time in which a byte of a body must move");
    program.add_seconds("--idle-timeout", how.idle_timeout, "time between two requests");
    program.command_line()
        .add_option("--requests", how.requests_max,
                    "requests of a connection at most (0: any number)")
        ->type_name("N");
    if (!program.parse(argc, argv))
        return program.status();

    std::optional<http::files> files;
    http::router routes;
    routes.get("/plaintext", plaintext)
        .get("/json", json)
        .post("/echo", echo)
        .put("/echo", echo)
        .get("/stream", stream);
    if (!root.empty()) {
        files.emplace(root);
        routes.get("/static/{path...}", files->answer());
    }
    http::site site{routes.answer(), how};
    return program.serve({http::serve_connection, site});
}
