#include "gateway/served.hpp"

#include <vk/base/os.hpp>
#include <vk/gateway/http1/conditions.hpp>
#include <vk/gateway/http1/date.hpp>

#include <fmt/format.h>

#include <string>

using vk::task;
using vk::http::byte_range;
using vk::http::evaluate;
using vk::http::range_outcome;
using vk::http::request;
using vk::http::response;
using vk::http::validators;
using vk::http::wanted_range;
using vk::http::test::answers;
using vk::http::test::last_body;

namespace {

constexpr std::int64_t modified = 784'111'777; // Sun, 06 Nov 1994 08:49:37 GMT
constexpr validators version{"\"v1\"", modified};
constexpr std::uint64_t size = 1000;

task<> judge(request& req, response& res)
{
    std::string text = std::to_string(evaluate(req, version));
    co_await res.send(text);
}

task<> cut(request& req, response& res)
{
    byte_range part{};
    std::uint64_t bytes = req.path() == "/empty" ? 0 : size;
    std::string text;
    switch (wanted_range(req, version, bytes, part)) {
    case range_outcome::whole:
        text = "whole";
        break;
    case range_outcome::unsatisfiable:
        text = "unsatisfiable";
        break;
    case range_outcome::part:
        text = fmt::format("{}+{}", part.first, part.count);
        break;
    }
    co_await res.send(text);
}

// A version that is not a second old: its date could stand for two (RFC 9110, 8.8.2.2).
task<> cut_fresh(request& req, response& res)
{
    byte_range part{};
    validators fresh{"\"v1\"", vk::os::wall_clock() / 1'000'000'000 + 1};
    std::string date(vk::http::date_bytes, ' ');
    vk::http::write_date(date.data(), fresh.modified);
    if (req.field("If-Range") == date)
        date = wanted_range(req, fresh, size, part) == range_outcome::whole ? "whole" : "part";
    co_await res.send(date);
}

std::string status(const std::string& fields, const std::string& method = "GET")
{
    return last_body(answers(method + " / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n", judge));
}

std::string range(const std::string& value, const std::string& fields = "",
                  const std::string& path = "/")
{
    return last_body(answers(
        "GET " + path + " HTTP/1.1\r\nHost: h\r\nRange: " + value + "\r\n" + fields + "\r\n", cut));
}

constexpr const char* before = "Sat, 05 Nov 1994 08:49:37 GMT";
constexpr const char* same = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* after = "Mon, 07 Nov 1994 08:49:37 GMT";

std::string line(const char* name, const char* value)
{
    return std::string(name) + ": " + value + "\r\n";
}

} // namespace

TEST_CASE("a request without conditions goes on")
{
    CHECK(status("") == "200");
    CHECK(status("", "PUT") == "200");
}

TEST_CASE("If-None-Match compares weakly; what it has is 304 to read, 412 to write")
{
    for (const char* tags : {"\"v1\"", "W/\"v1\"", "*", " * ", "\"v0\", \"v1\"", "\"v0\",W/\"v1\"",
                             ",,\"v1\",", "\"a,b\", \"v1\""}) {
        INFO(tags);
        CHECK(status(line("If-None-Match", tags)) == "304");
        CHECK(status(line("If-None-Match", tags), "PUT") == "412");
    }
    for (const char* tags :
         {"", "\"v2\"", "v1", "\"v1", "v1\"", "\"V1\"", "\"v1 \"", "\"x\", \"v\""}) {
        INFO(tags);
        CHECK(status(line("If-None-Match", tags)) == "200");
    }
}

TEST_CASE("If-Match compares strongly")
{
    for (const char* tags : {"\"v1\"", "*", "\"v0\", \"v1\""})
        CHECK(status(line("If-Match", tags), "PUT") == "200");
    for (const char* tags : {"", "W/\"v1\"", "\"v2\"", "\"v0\", W/\"v1\""}) {
        INFO(tags);
        CHECK(status(line("If-Match", tags), "PUT") == "412");
        CHECK(status(line("If-Match", tags)) == "412");
    }
}

TEST_CASE("a list of tags may stand in several fields")
{
    CHECK(status(line("If-None-Match", "\"v0\"") + line("If-None-Match", "\"v1\"")) == "304");
    CHECK(status(line("If-None-Match", "\"v0\"") + line("if-none-match", "\"v1\""), "PUT") ==
          "412");
    CHECK(status(line("If-Match", "\"v0\"") + line("If-Match", "\"v1\""), "PUT") == "200");
    CHECK(status(line("If-Match", "\"v0\"") + line("If-Match", "\"v2\""), "PUT") == "412");
}

TEST_CASE("If-Modified-Since is asked by GET alone, and only without If-None-Match")
{
    CHECK(status(line("If-Modified-Since", before)) == "200");
    CHECK(status(line("If-Modified-Since", same)) == "304");
    CHECK(status(line("If-Modified-Since", after)) == "304");
    CHECK(status(line("If-Modified-Since", after), "PUT") == "200");
    CHECK(status(line("If-Modified-Since", "yesterday")) == "200");
    CHECK(status(line("If-Modified-Since", after) + line("If-None-Match", "\"v2\"")) == "200");
    CHECK(status(line("If-Modified-Since", before) + line("If-None-Match", "\"v1\"")) == "304");
}

TEST_CASE("If-Unmodified-Since fails what was modified, unless there is If-Match")
{
    CHECK(status(line("If-Unmodified-Since", before)) == "412");
    CHECK(status(line("If-Unmodified-Since", same)) == "200");
    CHECK(status(line("If-Unmodified-Since", after), "PUT") == "200");
    CHECK(status(line("If-Unmodified-Since", "never")) == "200");
    CHECK(status(line("If-Unmodified-Since", before) + line("If-Match", "\"v1\"")) == "200");
}

TEST_CASE("the conditions for writing are judged before those for reading")
{
    CHECK(status(line("If-Match", "\"v2\"") + line("If-None-Match", "\"v1\"")) == "412");
    CHECK(status(line("If-Match", "\"v1\"") + line("If-None-Match", "\"v1\"")) == "304");
}

TEST_CASE("a range is its first and its last byte, cut at the end")
{
    CHECK(range("bytes=0-0") == "0+1");
    CHECK(range("bytes=0-499") == "0+500");
    CHECK(range("bytes=500-") == "500+500");
    CHECK(range("bytes=999-999") == "999+1");
    CHECK(range("bytes=0-999") == "0+1000");
    CHECK(range("bytes=0-1000") == "0+1000");
    CHECK(range("bytes=900-18446744073709551615") == "900+100");
    CHECK(range("bytes=900-99999999999999999999999") == "900+100");
    CHECK(range("BYTES=1-2") == "1+2"); // RFC 9110, 14.1
}

TEST_CASE("a range without a first byte is of the last ones")
{
    CHECK(range("bytes=-1") == "999+1");
    CHECK(range("bytes=-1000") == "0+1000");
    CHECK(range("bytes=-5000") == "0+1000");
    CHECK(range("bytes=-99999999999999999999999") == "0+1000");
    CHECK(range("bytes=-0") == "unsatisfiable");
}

TEST_CASE("a range behind the end cannot be satisfied")
{
    CHECK(range("bytes=1000-") == "unsatisfiable");
    CHECK(range("bytes=1000-2000") == "unsatisfiable");
    CHECK(range("bytes=99999999999999999999999-") == "unsatisfiable");
    CHECK(range("bytes=18446744073709551615-18446744073709551615") == "unsatisfiable");
}

TEST_CASE("of nothing at all no part can be had, and the last bytes are the whole")
{
    CHECK(range("bytes=0-", "", "/empty") == "unsatisfiable");
    CHECK(range("bytes=0-0", "", "/empty") == "unsatisfiable");
    CHECK(range("bytes=-0", "", "/empty") == "unsatisfiable");
    CHECK(range("bytes=-5", "", "/empty") ==
          "whole"); // RFC 9110, 14.1.2: satisfiable, but no Content-Range says it
}

TEST_CASE("several ranges, or what is none, is the whole")
{
    for (const char* value :
         {"bytes=0-1,3-4", "bytes=0-0,", "bytes=", "bytes=-", "bytes=a-b", "bytes=2-1", "bytes=1",
          "bytes=--1", "bytes=1--2", "bytes=+1-2", "bytes=1-+2", "bytes=0x1-2", "bytes 0-1",
          "bytes", "", "lines=0-1", "bytes=1 - 2", "bytes=0-1-2", "bytes=-1-"}) {
        INFO(value);
        CHECK(range(value) == "whole");
    }
}

TEST_CASE("a range is for GET alone")
{
    CHECK(last_body(answers("PUT / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0\r\n\r\n", cut)) ==
          "whole");
}

TEST_CASE("If-Range grants a range of the version that is known alone")
{
    CHECK(range("bytes=0-0", line("If-Range", "\"v1\"")) == "0+1");
    CHECK(range("bytes=0-0", line("If-Range", "\"v2\"")) == "whole");
    CHECK(range("bytes=0-0", line("If-Range", "W/\"v1\"")) ==
          "whole"); // RFC 9110, 13.1.5: strongly
    CHECK(range("bytes=0-0", line("If-Range", same)) == "0+1");
    CHECK(range("bytes=0-0", line("If-Range", before)) == "whole");
    CHECK(range("bytes=0-0", line("If-Range", after)) == "whole"); // exactly
    CHECK(range("bytes=0-0", line("If-Range", "?")) == "whole");
    CHECK(range("bytes=5000-", line("If-Range", "\"v2\"")) == "whole");
}

TEST_CASE("If-Range grants no range by the date of a version that is too young to be told by it")
{
    for (int tries = 0; tries < 3; ++tries) {
        std::string date = last_body(answers("GET / HTTP/1.1\r\nHost: h\r\n\r\n", cut_fresh));
        std::string said = last_body(answers(
            "GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0\r\nIf-Range: " + date + "\r\n\r\n",
            cut_fresh));
        if (said == "part" || said == "whole") { // else a second passed between them
            CHECK(said == "whole");
            return;
        }
    }
    FAIL("a second passed three times");
}
