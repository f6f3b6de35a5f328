#include "support/catch.hpp"
#include "support/random.hpp"

#include "gateway/exact.hpp"
#include "gateway/request_samples.hpp"

#include <vk/gateway/http1/request_head.hpp>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace vk::http;
using namespace vk::test;
using namespace std::literals;

namespace {

/// What a parser says of `text` that is there at once.
struct outcome {
    parsed said;
    request_head head;
};

outcome parse(std::string_view text, const bounds& limits = {})
{
    outcome result{};
    result.said = request_parser().parse(text, limits, result.head);
    return result;
}

/// What a parser says in the end of `text` that comes in parts ending at `cuts`, each time at another address.
outcome parse_in_parts(std::string_view text, const std::vector<std::size_t>& cuts,
                       const bounds& limits = {})
{
    outcome result{};
    request_parser parser;
    for (std::size_t cut : cuts) {
        exact part(text.substr(0, cut));
        result.said = parser.parse(part.view(), limits, result.head);
        if (result.said.state != parsed::incomplete)
            break;
    }
    if (result.said.state == parsed::incomplete)
        result.said = parser.parse_end(text, limits, result.head);
    if (result.said.state == parsed::complete)
        result.head.rebase(text.data());
    return result;
}

void check_same(const outcome& a, const outcome& b)
{
    REQUIRE(a.said.state == b.said.state);
    REQUIRE(a.said.status == b.said.status);
    REQUIRE(a.said.why == b.said.why);
    REQUIRE(a.said.bytes == b.said.bytes);
    if (a.said.state != parsed::complete)
        return;
    REQUIRE(a.head.target() == b.head.target());
    REQUIRE(a.head.host() == b.head.host());
    REQUIRE(a.head.fields().bytes() == b.head.fields().bytes());
    REQUIRE(a.head.content_length() == b.head.content_length());
    REQUIRE(a.head.chunked() == b.head.chunked());
    REQUIRE(a.head.keep_alive() == b.head.keep_alive());
}

/// Cut in two everywhere (or at places near the ends and at every 97th of a long text), and byte by byte.
void check_splits(std::string_view text, const bounds& limits = {})
{
    outcome whole = parse_in_parts(text, {text.size()}, limits);
    std::vector<std::size_t> bytes;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        bytes.push_back(cut);
        bool near_end = cut < 300 || cut + 300 > text.size();
        if (near_end || cut % 97 == 0)
            check_same(parse_in_parts(text, {cut, text.size()}, limits), whole);
    }
    if (text.size() < 1000)
        check_same(parse_in_parts(text, bytes, limits), whole);
}

} // namespace

TEST_CASE("a request that is one is taken, and says what it is")
{
    for (const taken_request& sample : taken_requests) {
        INFO(sample.about);
        auto [said, head] = parse(sample.bytes);
        INFO(said.why);
        REQUIRE(said.state == parsed::complete);
        CHECK(said.status == 0);
        CHECK(said.bytes == sample.bytes.find("\r\n\r\n") + 4);
        CHECK(head.bytes() == said.bytes);
        CHECK(head.method_name() == sample.method);
        CHECK(head.method() == method_from(sample.method));
        CHECK(head.target() == sample.target);
        CHECK(head.path() == sample.path);
        CHECK(head.query() == sample.query);
        CHECK(head.host() == sample.host);
        CHECK(head.version_minor() == sample.minor);
        CHECK(head.keep_alive() == sample.keep_alive);
        CHECK_FALSE(head.has_body());
        CHECK_FALSE(head.expects_continue());
    }
}

TEST_CASE("a request that is none is refused with the status that says why")
{
    for (const refused_request& sample : refused_requests) {
        INFO(sample.about);
        parsed said = parse(sample.bytes).said;
        CHECK(said.state == parsed::refused);
        CHECK(said.status == sample.status);
        CHECK(std::strlen(said.why) > 0);
    }
}

TEST_CASE("every split of a request gives the same result")
{
    for (const taken_request& sample : taken_requests) {
        INFO(sample.about);
        check_splits(sample.bytes);
    }
    for (const refused_request& sample : refused_requests) {
        INFO(sample.about);
        check_splits(sample.bytes);
    }
}

TEST_CASE("a request that ends early is refused, one that never begins is not")
{
    std::string text = "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
        request_head head;
        std::string_view part = std::string_view(text).substr(0, bytes);
        CHECK(request_parser().parse(part, {}, head).state == parsed::incomplete);
        parsed said = request_parser().parse_end(part, {}, head);
        CHECK(said.state == (bytes <= 2 ? parsed::incomplete : parsed::refused));
        CHECK(said.status == (bytes <= 2 ? 0 : 400));
    }
}

TEST_CASE("a request with a length has a body, and may wait to be told to send it")
{
    std::string text =
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0017\r\nexpect: 100-Continue\r\n\r\n";
    auto [said, head] = parse(text);
    REQUIRE(said.state == parsed::complete);
    CHECK(head.method() == method::post);
    CHECK(head.content_length() == 17u);
    CHECK(head.has_body());
    CHECK_FALSE(head.chunked());
    CHECK(head.expects_continue());
    CHECK(head.keep_alive());
}

TEST_CASE("a request without a length has none")
{
    auto [said, head] = parse(with("X-Content-Length: 5\r\n"));
    CHECK(said.state == parsed::complete);
    CHECK(head.content_length() == std::nullopt);
    CHECK_FALSE(head.has_body());
}

TEST_CASE("a chunked request has a body of unknown length")
{
    for (std::string coding : {"chunked", "Chunked", ", chunked ,", " \tCHUNKED"}) {
        INFO(coding);
        auto [said, head] =
            parse(with("transfer-encoding:" + coding + "\r\nExpect: 100-continue\r\n"));
        REQUIRE(said.state == parsed::complete);
        CHECK(head.chunked());
        CHECK(head.has_body());
        CHECK(head.content_length() == std::nullopt);
        CHECK(head.expects_continue());
    }
}

TEST_CASE("an expectation is ignored in HTTP/1.0")
{
    auto [said, head] = parse(old_with("Expect: 100-continue\r\nContent-Length: 5\r\n"));
    REQUIRE(said.state == parsed::complete);
    CHECK(head.has_body());
    CHECK_FALSE(head.expects_continue());
}

TEST_CASE("a head is valid for a copy of its bytes")
{
    auto text = std::make_unique<std::string>(chromium_request);
    auto [said, head] = parse(*text);
    REQUIRE(said.state == parsed::complete);
    std::string copy = *text;
    text->assign(text->size(), 'x');
    head.rebase(copy.data());
    CHECK(head.target() == "/index.html?from=start&lang=en");
    CHECK(head.field("accept-ENCODING") == "gzip, deflate, br");
    CHECK(head.host() == "www.example.com");
}

TEST_CASE("a bound is the last that is taken")
{
    auto status_of = [](const std::string& text, const bounds& limits) {
        return parse(text, limits).said.status;
    };
    std::string text = "GET /abc?d HTTP/1.1\r\nHost: abcdefgh\r\nX: y\r\n\r\n";
    bounds limits;
    limits.request_line_bytes = 21;
    limits.field_line_bytes = 16;
    limits.head_bytes = static_cast<std::uint32_t>(text.size());
    limits.fields = 2;
    CHECK(status_of(text, limits) == 0);
    --limits.request_line_bytes;
    CHECK(status_of(text, limits) == 414);
    ++limits.request_line_bytes;
    --limits.field_line_bytes;
    CHECK(status_of(text, limits) == 431);
    ++limits.field_line_bytes;
    --limits.head_bytes;
    CHECK(status_of(text, limits) == 431);
    ++limits.head_bytes;
    --limits.fields;
    CHECK(status_of(text, limits) == 431);
}

TEST_CASE("a bound on the body is the last length that is taken")
{
    bounds limits;
    limits.body_bytes = 9;
    CHECK(parse(with("Content-Length: 9\r\n"), limits).said.status == 0);
    CHECK(parse(with("Content-Length: 10\r\n"), limits).said.status == 413);
    limits.body_bytes = ~std::uint64_t{0};
    auto [said, head] = parse(with("Content-Length: 18446744073709551615\r\n"), limits);
    CHECK(said.status == 0);
    CHECK(head.content_length() == ~std::uint64_t{0});
}

TEST_CASE("a head of 64 KiB is bounded by its offsets")
{
    bounds limits;
    limits.head_bytes = 1u << 20;
    limits.fields = 10000;
    auto padded = [](std::size_t bytes) {
        std::string text = with(9 * ("X: " + std::string(7000, 'a') + "\r\n"));
        std::size_t rest = bytes - text.size();
        return text.insert(text.size() - 2, "Y: " + std::string(rest - 5, 'b') + "\r\n");
    };
    CHECK(padded(65535).size() == 65535);
    auto [said, head] = parse(padded(65535), limits);
    CHECK(said.state == parsed::complete);
    CHECK(said.bytes == 65535);
    CHECK(parse(padded(65536), limits).said.status == 431);
}

TEST_CASE("every split of a request gives the same result within small bounds")
{
    dice random(seed());
    INFO("VK_SEED=" << seed());
    for (const taken_request& sample : taken_requests) {
        INFO(sample.about);
        for (int round = 0; round < 5; ++round) {
            bounds limits;
            limits.request_line_bytes = static_cast<std::uint32_t>(14 + random.below(40));
            limits.field_line_bytes = static_cast<std::uint32_t>(1 + random.below(40));
            limits.head_bytes = static_cast<std::uint32_t>(1 + random.below(100));
            limits.fields = static_cast<std::uint16_t>(random.below(4));
            check_splits(sample.bytes, limits);
        }
    }
}

TEST_CASE("every split of a damaged request gives the same result")
{
    dice random(seed());
    INFO("VK_SEED=" << seed());
    for (int round = 0; round < 3000; ++round) {
        std::string text = damaged(random);
        INFO(text);
        std::size_t a = random.below(text.size() + 1);
        std::size_t b = a + random.below(text.size() + 1 - a);
        outcome whole = parse_in_parts(text, {text.size()});
        check_same(parse_in_parts(text, {a, b, text.size()}), whole);
        std::vector<std::size_t> bytes;
        for (std::size_t cut = 0; cut <= text.size(); ++cut)
            bytes.push_back(cut);
        if (text.size() < 1000)
            check_same(parse_in_parts(text, bytes), whole);
    }
}

TEST_CASE("a request is complete with its last byte, and not before")
{
    for (const taken_request& sample : taken_requests) {
        INFO(sample.about);
        std::size_t end = parse(sample.bytes).said.bytes;
        for (std::size_t first : {std::size_t{1}, end / 2, end - 1}) {
            request_parser parser;
            request_head head;
            for (std::size_t there = first; there < end; ++there) {
                std::string_view bytes = std::string_view(sample.bytes).substr(0, there);
                REQUIRE(parser.parse(bytes, {}, head).state == parsed::incomplete);
            }
            parsed said = parser.parse(std::string_view(sample.bytes).substr(0, end), {}, head);
            REQUIRE(said.state == parsed::complete);
            REQUIRE(said.bytes == end);
        }
    }
}

TEST_CASE("a line without CR is refused at once, however it comes")
{
    for (std::string text : {"GET / HTTP/1.1\r\nHost: h\n", "GET / HTTP/1.1\r\nHost: h\r\n\n"}) {
        request_parser parser;
        request_head head;
        for (std::size_t bytes = 1; bytes < text.size(); ++bytes)
            REQUIRE(parser.parse(std::string_view(text).substr(0, bytes), {}, head).state ==
                    parsed::incomplete);
        CHECK(parser.parse(text, {}, head).status == 400);
    }
}

TEST_CASE("bytes are looked at once, however many parts they come in")
{
    // 32 KiB in parts of one byte: were it parsed at each, it would be 500 MB.
    bounds limits;
    limits.head_bytes = head_bytes_max;
    std::string text = with(8 * ("X: " + std::string(4000, 'a') + "\r\n"));
    request_parser parser;
    request_head head;
    std::size_t parses = 0;
    for (std::size_t bytes = 1; bytes <= text.size(); ++bytes) {
        head = request_head();
        parsed said = parser.parse(std::string_view(text).substr(0, bytes), limits, head);
        parses += !head.target().empty() || head.bytes() > 0;
        REQUIRE(said.state == (bytes == text.size() ? parsed::complete : parsed::incomplete));
    }
    CHECK(parses == 1);
}
