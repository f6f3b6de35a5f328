#include "support/catch.hpp"

#include "gateway/exact.hpp"

#include <vk/gateway/http1/response_head.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace vk::http;
using namespace vk::test;

namespace {

struct taken_response {
    std::string about;
    std::string bytes;
    method asked = method::get;
    int status = 200;
    body_end end = body_end::close;
    bool keep_alive = false;
    std::string reason = "OK";
};

std::string ok(const std::string& lines)
{
    return "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
}

const std::vector<taken_response> taken_responses{
    {"a length", ok("Content-Length: 5\r\n"), method::get, 200, body_end::length, true},
    {"a length of 0", ok("Content-Length: 0\r\n"), method::get, 200, body_end::length, true},
    {"chunked", ok("Transfer-Encoding: chunked\r\n"), method::post, 200, body_end::chunked, true},
    {"no length", ok("Server: x\r\n")},
    {"a length and close", ok("Content-Length: 5\r\nConnection: close\r\n"), method::get, 200,
     body_end::length},
    {"an answer to HEAD", ok("Content-Length: 5\r\n"), method::head, 200, body_end::none, true},
    {"an answer to HEAD without a length", ok(""), method::head, 200, body_end::none, true},
    {"a chunked answer to HEAD", ok("Transfer-Encoding: chunked\r\n"), method::head, 200,
     body_end::none, true},
    {"a tunnel", ok("Content-Length: 5\r\n"), method::connect, 200, body_end::none, true},
    {"no tunnel", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n", method::connect, 403,
     body_end::length, true, "Forbidden"},
    {"204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", method::get, 204,
     body_end::none, true, "No Content"},
    {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", method::get, 304,
     body_end::none, true, "Not Modified"},
    {"100", "HTTP/1.1 100 Continue\r\n\r\n", method::post, 100, body_end::none, true, "Continue"},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", method::get, 200, body_end::length,
     false},
    {"HTTP/1.0 that keeps alive",
     "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", method::get, 200,
     body_end::length, true},
    {"an empty phrase", "HTTP/1.1 200 \r\n\r\n", method::get, 200, body_end::close, false, ""},
    {"no phrase", "HTTP/1.1 200\r\n\r\n", method::get, 200, body_end::close, false, ""},
    {"a phrase of UTF-8", "HTTP/1.1 599 \xc3\xa4 b\r\n\r\n", method::get, 599, body_end::close,
     false, "\xc3\xa4 b"},
};

struct refused_response {
    std::string about;
    std::string bytes;
};

const std::vector<refused_response> refused_responses{
    {"another protocol", "ICY 200 OK\r\n\r\n"},
    {"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"},
    {"two digits", "HTTP/1.1 20 OK\r\n\r\n"},
    {"four digits", "HTTP/1.1 2000 OK\r\n\r\n"},
    {"a status below 100", "HTTP/1.1 099 OK\r\n\r\n"},
    {"a status above 599", "HTTP/1.1 600 OK\r\n\r\n"},
    {"two spaces", "HTTP/1.1  200 OK\r\n\r\n"},
    {"an empty line before it", "\r\nHTTP/1.1 200 OK\r\n\r\n"},
    {"a bare LF", "HTTP/1.1 200 OK\n\r\n"},
    {"a bare CR", "HTTP/1.1 200 OK\rX\r\n\r\n"},
    {"a control character", "HTTP/1.1 200 O\x01K\r\n\r\n"},
    {"a folded field", ok("A: b\r\n c\r\n")},
    {"whitespace before a colon", ok("A : b\r\n")},
    {"two lengths", ok("Content-Length: 5\r\nContent-Length: 5\r\n")},
    {"a bad length", ok("Content-Length: x\r\n")},
    {"length and coding", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
    {"an unknown coding", ok("Transfer-Encoding: gzip, chunked\r\n")},
    {"a coding that is not chunked", ok("Transfer-Encoding: gzip\r\n")},
    {"a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"a long phrase", "HTTP/1.1 200 " + std::string(8192, 'a') + "\r\n\r\n"},
    {"a long head", ok("A: " + std::string(8000, 'a') + "\r\nB: " + std::string(8000, 'a') +
                       "\r\nC: " + std::string(8000, 'a') + "\r\nD: " + std::string(8000, 'a') +
                       "\r\nE: " + std::string(8000, 'a') + "\r\n")},
};

parsed parse_in_parts(std::string_view text, method asked, const std::vector<std::size_t>& cuts,
                      response_head& head)
{
    response_parser parser;
    for (std::size_t cut : cuts) {
        exact part(text.substr(0, cut));
        parsed said = parser.parse(part.view(), {}, asked, head);
        if (said.state != parsed::incomplete) {
            head.rebase(text.data());
            return said;
        }
    }
    return parser.parse_end(text, {}, asked, head);
}

} // namespace

TEST_CASE("a response that is one is taken, and says where its body ends")
{
    for (const taken_response& sample : taken_responses) {
        INFO(sample.about);
        response_head head;
        parsed said = response_parser().parse(sample.bytes, {}, sample.asked, head);
        REQUIRE(said.state == parsed::complete);
        CHECK(said.bytes == sample.bytes.size());
        CHECK(head.bytes() == said.bytes);
        CHECK(head.status() == sample.status);
        CHECK(head.reason() == sample.reason);
        CHECK(head.body_end() == sample.end);
        CHECK(head.keep_alive() == sample.keep_alive);
        CHECK(head.interim() == (sample.status == 100));
    }
}

TEST_CASE("a response that is none is a bad gateway's")
{
    for (const refused_response& sample : refused_responses) {
        INFO(sample.about);
        response_head head;
        parsed said = response_parser().parse(sample.bytes, {}, method::get, head);
        CHECK(said.state == parsed::refused);
        CHECK(said.status == 502);
    }
}

TEST_CASE("the length of a body that is left out is still known")
{
    response_head head;
    std::string text = ok("Content-Length: 12345678901234\r\nX: y\r\n");
    response_parser().parse(text, {}, method::head, head);
    CHECK(head.content_length() == 12345678901234u);
    CHECK(head.field("x") == "y");
}

TEST_CASE("every split of a response gives the same result")
{
    auto check = [](const std::string& text, method asked) {
        response_head whole;
        parsed expected = parse_in_parts(text, asked, {text.size()}, whole);
        std::vector<std::size_t> bytes;
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            bytes.push_back(cut);
            if (text.size() > 1000 && cut % 97 != 0)
                continue;
            response_head parts;
            parsed said = parse_in_parts(text, asked, {cut, text.size()}, parts);
            REQUIRE(said.state == expected.state);
            REQUIRE(said.why == expected.why);
        }
        response_head last;
        parsed said = text.size() > 1000 ? expected : parse_in_parts(text, asked, bytes, last);
        REQUIRE(said.state == expected.state);
        REQUIRE(said.why == expected.why);
    };
    for (const taken_response& sample : taken_responses) {
        INFO(sample.about);
        check(sample.bytes, sample.asked);
    }
    for (const refused_response& sample : refused_responses) {
        INFO(sample.about);
        check(sample.bytes, method::get);
    }
}

TEST_CASE("a response that ends early is refused, one that never begins is not")
{
    std::string text = ok("Content-Length: 5\r\n");
    for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
        response_head head;
        parsed said = response_parser().parse_end(std::string_view(text).substr(0, bytes), {},
                                                  method::get, head);
        CHECK(said.state == (bytes == 0 ? parsed::incomplete : parsed::refused));
        CHECK(said.status == (bytes == 0 ? 0 : 502));
    }
}
