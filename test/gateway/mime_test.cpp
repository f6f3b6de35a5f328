#include "support/catch.hpp"

#include <vk/gateway/http1/mime.hpp>

#include <string>
#include <string_view>
#include <utility>

using vk::http::media_type_of;

namespace {

constexpr std::string_view unknown = "application/octet-stream";

} // namespace

TEST_CASE("the media types of the web are those that browsers expect")
{
    for (auto [path, type] : {std::pair("index.html", "text/html"),
                              std::pair("a.htm", "text/html"),
                              std::pair("a.css", "text/css"),
                              std::pair("a.js", "text/javascript"),
                              std::pair("a.mjs", "text/javascript"),
                              std::pair("a.json", "application/json"),
                              std::pair("a.wasm", "application/wasm"),
                              std::pair("a.svg", "image/svg+xml"),
                              std::pair("a.png", "image/png"),
                              std::pair("a.jpg", "image/jpeg"),
                              std::pair("a.jpeg", "image/jpeg"),
                              std::pair("a.webp", "image/webp"),
                              std::pair("a.gif", "image/gif"),
                              std::pair("a.woff2", "font/woff2"),
                              std::pair("a.txt", "text/plain"),
                              std::pair("a.xml", "application/xml"),
                              std::pair("a.pdf", "application/pdf"),
                              std::pair("a.mp4", "video/mp4"),
                              std::pair("a.7z", "application/x-7z-compressed"),
                              std::pair("a.zst", "application/zstd"),
                              std::pair("a.webmanifest", "application/manifest+json")}) {
        INFO(path);
        CHECK(media_type_of(path) == type);
    }
}

TEST_CASE("the last ending of the last segment counts, in any case")
{
    CHECK(media_type_of("a/b.c/d.HTML") == "text/html");
    CHECK(media_type_of("archive.tar.gz") == "application/gzip");
    CHECK(media_type_of("/x.css/y.Js") == "text/javascript");
}

TEST_CASE("what has no ending, or one that is not known, is bytes")
{
    for (const char* path :
         {"", "/", "README", "a.", "a.html/README", "a.html/", ".html", "dir/.css", "a.unknown",
          "a.htmlx", "a.htm l", "a.webmanifestx", "a.\xff\xfe"}) {
        INFO(path);
        CHECK(media_type_of(path) == unknown);
    }
    CHECK(media_type_of("a." + std::string(100'000, 'x')) == unknown);
}
