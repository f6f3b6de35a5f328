#include "support/catch.hpp"
#include "support/random.hpp"

#include "gateway/request_samples.hpp"

#include <vk/gateway/http1/request_head.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace vk::http;
using namespace vk::test;
using namespace std::literals;

namespace {

/// Bytes in memory of their own, so that a read beyond them is seen by a sanitizer.
class exact {
public:
    explicit exact(std::string_view text) : data_{new char[text.size()]}, size_{text.size()}
    {
        text.copy(data_.get(), text.size());
    }
    std::string_view view() const { return {data_.get(), size_}; }

private:
    std::unique_ptr<char[]> data_;
    std::size_t size_;
};

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
