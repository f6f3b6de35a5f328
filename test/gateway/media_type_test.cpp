#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/gateway/http1/media_type.hpp>

#include <string>
#include <string_view>
#include <type_traits>

using vk::http::media_type;

namespace {

// What it makes of `text`.
std::string made_of(std::string_view text)
{
    try {
        return std::string(media_type(text).text());
    } catch (const vk::error& e) {
        return e.code() == std::errc::invalid_argument ? "refused" : e.what();
    }
}

static_assert(media_type().text().empty());
static_assert(media_type("text/plain").text() == "text/plain");
static_assert(!std::is_convertible_v<int, media_type>);

} // namespace

TEST_CASE("a media type of text that comes at run time has no line ends")
{
    CHECK(made_of("text/html; charset=\"utf-8\"") == "text/html; charset=\"utf-8\"");
    CHECK(made_of("").empty());
    CHECK(made_of("a/b\r\nSet-Cookie: c=d") == "refused");
    CHECK(made_of("a/b\n") == "refused");
    CHECK(made_of(std::string_view("a\0b", 3)) == "refused");
    CHECK(made_of("a/\x7f") == "refused");
    std::string owned = "a/b\r";
    CHECK_THROWS_AS(media_type(owned), vk::error);
    const char* pointed = "a/b";
    CHECK(media_type(pointed).text() == "a/b");
}
