// hungry: an HTTP server whose routes take from the global heap, for global_memory.py.

#include "options/server_options.hpp"

#include <vk/http.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace http = vk::http;

namespace {

constexpr std::size_t piece_bytes = std::size_t{64} * 1024;
constexpr std::size_t end_bytes = std::size_t{64} * 1024 * 1024;

vk::task<> plaintext(http::request&, http::response& res)
{
    co_await res.send("Hello, World!", "text/plain");
}

// Would take 64 MiB, slowly, so that many hold much at once.
vk::task<> devour(http::request&, http::response& res)
{
    std::vector<std::string> all;
    while (all.size() < end_bytes / piece_bytes) {
        all.emplace_back(piece_bytes, 'x');
        if (all.size() % 4 == 0)
            co_await vk::sleep_for(std::chrono::milliseconds(1));
    }
    co_await res.send("All of it.", "text/plain");
}

// The same, begun as an answer that then cannot be whole.
vk::task<> devour_late(http::request&, http::response& res)
{
    co_await res.write("A beginning.\n");
    std::vector<std::string> all;
    while (all.size() < end_bytes / piece_bytes)
        all.emplace_back(piece_bytes, 'x');
    co_await res.write("An end.\n");
}

// Lose 64 KiB.
vk::task<> lose(http::request&, http::response& res)
{
    static volatile char* lost = nullptr;
    lost = new char[piece_bytes];
    lost[0] = 'x';
    co_await res.send("Gone.", "text/plain");
}

} // namespace

int main(int argc, char** argv)
{
    apps::program program("hungry", "A server with services that want much memory.");
    if (!program.parse(argc, argv))
        return program.status();
    http::router routes;
    routes.get("/plaintext", plaintext)
        .get("/devour", devour)
        .get("/late", devour_late)
        .get("/lose", lose);
    http::site site{routes.answer(), {}};
    return program.serve({http::serve_connection, site});
}
