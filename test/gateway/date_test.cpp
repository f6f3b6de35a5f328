#include "support/catch.hpp"

#include <vk/base/os.hpp>
#include <vk/gateway/http1/date.hpp>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

using vk::http::date_bytes;
using vk::http::date_lines;
using vk::http::read_date;
using vk::http::write_date;

namespace {

constexpr std::int64_t example = 784'111'777; // of RFC 9110, 5.6.7

std::string written(std::int64_t seconds)
{
    std::string text(date_bytes, '?');
    write_date(text.data(), seconds);
    return text;
}

std::string formatted(std::int64_t seconds, const char* format)
{
    std::time_t at = seconds;
    std::tm parts{};
    ::gmtime_r(&at, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof(text), format, &parts)};
}

// The second at `share` of the way between 1971 and 9999, and one nearby.
std::int64_t second_at(int share, int of)
{
    return 31'536'000 + (253'370'764'800 - 31'536'000) / of * share + share * 7919;
}

} // namespace

TEST_CASE("a date is written as the C library writes it")
{
    CHECK(written(example) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(written(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(written(951'782'400) == "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK(written(4'107'542'400) == "Mon, 01 Mar 2100 00:00:00 GMT"); // no leap year
    for (int share = 0; share < 5000; ++share) {
        std::int64_t at = second_at(share, 5000);
        REQUIRE(written(at) == formatted(at, "%a, %d %b %Y %H:%M:%S GMT"));
    }
}

TEST_CASE("a date that was written is read back, in each of the three formats")
{
    CHECK(read_date("Sun, 06 Nov 1994 08:49:37 GMT") == example);
    CHECK(read_date("Sunday, 06-Nov-94 08:49:37 GMT") == example);
    CHECK(read_date("Sun Nov  6 08:49:37 1994") == example);
    CHECK(read_date("Wed Nov 16 08:49:37 1994") == example + 10 * 86'400);
    for (int share = 0; share < 5000; ++share) {
        std::int64_t at = second_at(share, 5000);
        REQUIRE(read_date(written(at)) == at);
        REQUIRE(read_date(formatted(at, "%a %b %e %H:%M:%S %Y")) == at);
    }
}

TEST_CASE("a year of two digits is at most fifty years ahead")
{
    std::int64_t now = vk::os::wall_clock() / 1'000'000'000;
    for (int year = -49; year <= 49; ++year) {
        std::int64_t at = now + year * std::int64_t{31'556'952};
        CHECK(read_date(formatted(at, "%A, %d-%b-%y %H:%M:%S GMT")) == at);
    }
}

TEST_CASE("a leap second is a second")
{
    CHECK(read_date("Sat, 31 Dec 2016 23:59:60 GMT") == read_date("Sun, 01 Jan 2017 00:00:00 GMT"));
}

TEST_CASE("what is not quite a date is none")
{
    for (const char* text : {"",
                             " ",
                             "0",
                             "Sun",
                             "Sun,",
                             "Sun, ",
                             "Sun, 06 Nov 1994 08:49:37",
                             "Sun, 06 Nov 1994 08:49:37 UTC",
                             "Sun, 06 Nov 1994 08:49:37 GMT ",
                             " Sun, 06 Nov 1994 08:49:37 GMT",
                             "Sun, 6 Nov 1994 08:49:37 GMT",
                             "Sun, 06 nov 1994 08:49:37 GMT",
                             "Sun, 06 ovD 1994 08:49:37 GMT",
                             "Sun, 31 Feb 1994 08:49:37 GMT",
                             "Sun, 00 Nov 1994 08:49:37 GMT",
                             "Sun, 29 Feb 2100 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:00:00 GMT",
                             "Sun, 06 Nov 1994 08:60:37 GMT",
                             "Sun, 06 Nov 1994 08:49:61 GMT",
                             "Sun, 06 Nov 1994 8:49:37 GMT",
                             "Sun, 06 Nov 1994 -8:49:37 GMT",
                             "Sun, 06 Nov 94 08:49:37 GMT",
                             "Sunday, 06-Nov-1994 08:49:37 GMT",
                             "Sunday, 06-Nov-9",
                             "Sun Nov 6 08:49:37 1994",
                             "Sun Nov  6 08:49:37 94",
                             "Sun Nov  6 08:49:37 1994 GMT",
                             "Sun, 06 Nov 1994 08:49:37 GMTx",
                             "Sun, 06 Nov +994 08:49:37 GMT",
                             "\"etag\"",
                             "a,b,c",
                             ",,,,,,,,"}) {
        INFO(text);
        CHECK_FALSE(read_date(text));
    }
}

TEST_CASE("no prefix of a date is one, and no byte of it can be another's without notice")
{
    for (std::string_view text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                  "Sun Nov  6 08:49:37 1994"}) {
        for (std::size_t size = 0; size < text.size(); ++size)
            CHECK_FALSE(read_date(text.substr(0, size)));
        for (std::size_t at = text.find(' '); at < text.size(); ++at) {
            std::string broken(text);
            broken[at] = '\x80';
            CHECK_FALSE(read_date(broken));
        }
    }
}

TEST_CASE("the lines of an answer show the second that it is, and are made once in it")
{
    std::int64_t before = vk::os::wall_clock() / 1'000'000'000;
    vk::nanoseconds now = vk::os::now();
    std::string_view lines = date_lines::at(now);
    std::int64_t after = vk::os::wall_clock() / 1'000'000'000;
    CHECK(lines.substr(0, 23) == "HTTP/1.1 200 OK\r\nDate: ");
    CHECK(lines.substr(lines.size() - 2) == "\r\n");
    auto shown = read_date(lines.substr(23, date_bytes));
    REQUIRE(shown);
    CHECK(*shown >= before);
    CHECK(*shown <= after);
    CHECK(date_lines::date_at(now) == lines.substr(17));
    CHECK(date_lines::at(now).data() == lines.data());
    // Within a second of the kernel's clock it is rendered anew.
    auto later = read_date(date_lines::at(now + 1'000'000'000).substr(23, date_bytes));
    REQUIRE(later);
    CHECK(*later >= *shown);
}
