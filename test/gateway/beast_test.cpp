// The parser against that of Boost.Beast, which is another reading of the same RFCs: on the samples, and on
// samples that were damaged. Where the two differ there is a reason, which is one of the list below, and holds by
// what the bytes are and not by what a parser says of them. A difference without a reason is a failure.

#include "support/catch.hpp"
#include "support/random.hpp"

#include "gateway/request_samples.hpp"

#include <vk/gateway/http1/ascii.hpp>
#include <vk/gateway/http1/request_head.hpp>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

using namespace vk::http;
using namespace vk::test;

namespace beast = boost::beast::http;

namespace {

/// What a parser says of a head.
struct reading {
    bool taken = false;
    std::string why;
    std::size_t bytes = 0;
    std::string method;
    std::string target;
    std::vector<std::string> lines; ///< names and values, sorted: Beast puts equal names together
    bool chunked = false;
    bool keep_alive = false;
    std::uint64_t length = 0;

    bool operator==(const reading& other) const
    {
        return taken == other.taken && bytes == other.bytes && method == other.method &&
               target == other.target && lines == other.lines && chunked == other.chunked &&
               keep_alive == other.keep_alive && length == other.length;
    }
};

reading read_by_us(std::string_view text)
{
    request_head head;
    parsed said = request_parser().parse(text, {}, head);
    reading result;
    result.why = said.why;
    result.taken = said.state == parsed::complete;
    if (!result.taken)
        return result;
    result.bytes = said.bytes;
    result.method = head.method_name();
    result.target = head.target();
    for (auto [name, value] : head.fields())
        result.lines.push_back(std::string(name) + ":" + std::string(value));
    std::sort(result.lines.begin(), result.lines.end());
    result.chunked = head.chunked();
    result.keep_alive = head.keep_alive();
    result.length = head.content_length().value_or(0);
    return result;
}

reading read_by_beast(std::string_view text)
{
    beast::request_parser<beast::empty_body> parser;
    parser.header_limit(bounds().head_bytes);
    parser.body_limit(bounds().body_bytes);
    boost::system::error_code error;
    reading result;
    // Of a message without a body Beast consumes the head alone, as it does when it is not eager.
    std::size_t bytes = parser.put(boost::asio::buffer(text.data(), text.size()), error);
    result.why = error.message();
    result.taken = parser.is_header_done() && (!error || error == beast::error::need_more);
    if (!result.taken)
        return result;
    result.bytes = bytes;
    const auto& head = parser.get();
    result.method = std::string(head.method_string());
    result.target = std::string(head.target());
    for (const auto& line : head)
        result.lines.push_back(std::string(line.name_string()) + ":" + std::string(line.value()));
    std::sort(result.lines.begin(), result.lines.end());
    result.chunked = parser.chunked();
    result.keep_alive = parser.keep_alive();
    result.length = parser.content_length().value_or(0);
    return result;
}

// --- the bytes, as a simple reader sees them

/// The lines of the head, as far as it goes, without the one that may be empty before it.
std::vector<std::string> lines_of(std::string_view text)
{
    std::vector<std::string> lines;
    if (text.starts_with("\r\n"))
        text.remove_prefix(2);
    while (!text.empty()) {
        std::size_t end = text.find("\r\n");
        lines.emplace_back(text.substr(0, end));
        if (end == 0 || end == text.npos)
            break;
        text.remove_prefix(end + 2);
    }
    return lines;
}

std::string lowercase(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(), ascii::lower);
    return text;
}

/// The values of the fields of that name, in lowercase.
std::vector<std::string> values_of(std::string_view text, std::string_view name)
{
    std::vector<std::string> values;
    for (const std::string& line : lines_of(text))
        if (lowercase(line).starts_with(std::string(name) + ":"))
            values.emplace_back(
                ascii::trim(std::string_view(lowercase(line)).substr(name.size() + 1)));
    return values;
}

std::string method_of(std::string_view text)
{
    std::string line = lines_of(text).empty() ? "" : lines_of(text).front();
    return line.substr(0, line.find(' '));
}

/// The second word of the first line.
std::string target_of(std::string_view text)
{
    std::string line = lines_of(text).empty() ? "" : lines_of(text).front();
    std::size_t from = line.find(' ') + 1;
    return line.substr(from, line.find(' ', from) - from);
}

bool is_version(std::string_view text, std::string_view version)
{
    return !lines_of(text).empty() && lines_of(text).front().ends_with(version);
}

// --- why the parsers differ

struct difference {
    const char* reason;
    bool (*holds)(std::string_view text);
};

const std::vector<difference> we_refuse{
    {"Beast takes Transfer-Encoding in HTTP/1.0 (RFC 9112, 6.1)",
     [](std::string_view text) {
         return is_version(text, "HTTP/1.0") && !values_of(text, "transfer-encoding").empty();
     }},
    {"Beast does not look at Host (RFC 9112, 3.2)",
     [](std::string_view text) {
         auto hosts = values_of(text, "host");
         auto odd = [](char c) { return !ascii::is(c, ascii::name) && c != ':'; };
         return hosts.size() != 1 || std::any_of(hosts[0].begin(), hosts[0].end(), odd) ||
                hosts[0].find(':') != std::string::npos;
     }},
    {"Beast takes any target of visible characters, obs-text and '#' included (RFC 9112, 3.2)",
     [](std::string_view text) {
         std::string target = target_of(text);
         auto odd = [](char c) { return !ascii::is(c, ascii::query); };
         return !target.starts_with("/") || method_of(text) == "CONNECT" ||
                std::any_of(target.begin(), target.end(), odd);
     }},
    {"Beast unfolds lines (RFC 9112, 5.2)",
     [](std::string_view text) {
         return text.find("\r\n ") != text.npos || text.find("\r\n\t") != text.npos;
     }},
    {"Beast takes equal Content-Lengths as one (RFC 9110, 8.6 allows both)",
     [](std::string_view text) {
         auto lengths = values_of(text, "content-length");
         return lengths.size() > 1 ||
                (lengths.size() == 1 && lengths[0].find(',') != std::string::npos);
     }},
    {"Beast leaves codings other than chunked to its user (RFC 9112, 6.1 and 6.3)",
     [](std::string_view text) {
         auto codings = values_of(text, "transfer-encoding");
         return codings.size() > 1 || (codings.size() == 1 && codings[0] != "chunked");
     }},
    {"Beast leaves Expect to its user (RFC 9110, 10.1.1)",
     [](std::string_view text) {
         auto expectations = values_of(text, "expect");
         return std::any_of(expectations.begin(), expectations.end(),
                            [](const std::string& one) { return one != "100-continue"; });
     }},
    {"Beast bounds the head alone, and where it is there at once not to the byte",
     [](std::string_view text) {
         auto lines = lines_of(text);
         return lines.size() > 100 || text.find("\r\n\r\n") + 4 > bounds().head_bytes ||
                std::any_of(lines.begin(), lines.end(),
                            [](const std::string& line) { return line.size() > 8190; });
     }},
};

const std::vector<difference> beast_refuses{
    {"Beast does not skip an empty line (RFC 9112, 2.2)",
     [](std::string_view text) { return text.starts_with("\r\n"); }},
    {"Beast refuses later minor versions (RFC 9110, 2.5)",
     [](std::string_view text) {
         return !is_version(text, "HTTP/1.0") && !is_version(text, "HTTP/1.1");
     }},
    {"Beast refuses a Connection that is not a list of tokens",
     [](std::string_view text) {
         auto odd = [](char c) { return !ascii::is(c, ascii::token); };
         auto options = values_of(text, "connection");
         auto others = values_of(text, "proxy-connection");
         options.insert(options.end(), others.begin(), others.end());
         return std::any_of(options.begin(), options.end(), [&](const std::string& one) {
             return one.empty() || std::any_of(one.begin(), one.end(), odd);
         });
     }},
};

const difference keeps_closed_alive{
    "Beast keeps HTTP/1.0 alive that says close too (RFC 9112, 9.3)", [](std::string_view text) {
        std::string options;
        for (const std::string& value : values_of(text, "connection"))
            options += value + ",";
        return is_version(text, "HTTP/1.0") && options.find("close") != std::string::npos &&
               options.find("keep-alive") != std::string::npos;
    }};

} // namespace

TEST_CASE("every difference from Beast's parser has a reason")
{
    dice random(seed());
    INFO("VK_SEED=" << seed());
    std::vector<std::string> texts;
    for (const taken_request& sample : taken_requests)
        texts.push_back(sample.bytes);
    for (const refused_request& sample : refused_requests)
        texts.push_back(sample.bytes);
    for (int round = 0; round < 30'000; ++round)
        texts.push_back(damaged(random));
    std::map<std::string, int> counts;
    for (const std::string& text : texts) {
        INFO(text);
        reading ours = read_by_us(text);
        reading theirs = read_by_beast(text);
        INFO("we say: " << ours.why << "; Beast says: " << theirs.why);
        if (ours.taken == theirs.taken) {
            ++counts[ours.taken ? "both take it" : "both refuse it"];
            if (keeps_closed_alive.holds(text)) {
                ++counts[keeps_closed_alive.reason];
                theirs.keep_alive = ours.keep_alive;
            }
            REQUIRE(ours == theirs);
            continue;
        }
        const auto& reasons = theirs.taken ? we_refuse : beast_refuses;
        auto reason = std::find_if(reasons.begin(), reasons.end(),
                                   [&](const difference& one) { return one.holds(text); });
        REQUIRE(reason != reasons.end());
        ++counts[reason->reason];
    }
    for (const auto& [what, times] : counts)
        std::printf("%7d  %s\n", times, what.c_str());
    CHECK(counts["both take it"] > 1000);
    for (const auto& reasons : {we_refuse, beast_refuses})
        for (const difference& one : reasons)
            CHECK(counts[one.reason] > 0);
}
