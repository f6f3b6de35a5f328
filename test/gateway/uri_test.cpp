#include "support/catch.hpp"

#include <vk/gateway/http1/uri.hpp>

#include <string>

using vk::http::percent_decoded;

TEST_CASE("text without a percent sign is as it was")
{
    CHECK(percent_decoded("") == "");
    CHECK(percent_decoded("a/b+c~d") == "a/b+c~d"); // '+' is a space in forms only
}

TEST_CASE("each byte can be encoded, with digits of either case")
{
    for (int byte = 0; byte < 256; ++byte) {
        const char* upper = "0123456789ABCDEF";
        const char* lower = "0123456789abcdef";
        std::string one{'%', upper[byte / 16], upper[byte % 16]};
        std::string two{'%', lower[byte / 16], lower[byte % 16]};
        std::string meant(1, static_cast<char>(byte));
        CHECK(percent_decoded(one) == meant);
        CHECK(percent_decoded("x" + two + "y") == "x" + meant + "y");
    }
}

TEST_CASE("what was decoded is not decoded again")
{
    CHECK(percent_decoded("%252e%252E") == "%2e%2E");
    CHECK(percent_decoded("%25") == "%");
}

TEST_CASE("a percent sign that no two hexadecimal digits follow is malformed")
{
    for (const char* text : {"%", "%4", "a%", "a%4", "%zz", "%4g", "%g4", "%+4", "%-4", "% 4",
                             "%4 ", "%%41", "%0x", "%x0", "%u0041"})
        CHECK_FALSE(percent_decoded(text));
}
