// The first byte says how many bytes come at a time, the others are a request: whole and in parts it must be
// read alike, and what is read of it must lie within it.

#include "fuzz/target.hpp"
#include "gateway/request_samples.hpp"

#include <vk/gateway/http1/request_head.hpp>

#include <algorithm>
#include <string_view>

using namespace vk::http;
using vk::test::must;

namespace {

void check_within(std::string_view all, std::string_view part)
{
    must(part.empty() || part == "/" ||
         (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size()));
}

void check_views(std::string_view text, const request_head& head)
{
    must(head.bytes() <= text.size() && text.substr(0, head.bytes()).ends_with("\r\n\r\n"));
    for (auto view : {head.method_name(), head.target(), head.path(), head.query(), head.host()}) {
        check_within(text, view);
        for (char c : view)
            must(c > ' ' && c < 0x7f);
    }
    for (auto [name, value] : head.fields()) {
        check_within(text, name);
        check_within(text, value);
        must(!name.empty() && head.field(name).has_value());
        must(value.find_first_of("\r\n") == value.npos);
    }
    must(!(head.chunked() && head.content_length()));
    must(!head.expects_continue() || head.has_body());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
    if (bytes == 0)
        return 0;
    std::size_t part = 1u + data[0];
    std::string_view text(reinterpret_cast<const char*>(data) + 1, bytes - 1);
    bounds limits;
    limits.request_line_bytes = 300;
    limits.field_line_bytes = 200;
    limits.head_bytes = 1000;
    limits.fields = 20;

    request_head whole;
    parsed expected = request_parser().parse_end(text, limits, whole);
    if (expected.state == parsed::complete)
        check_views(text, whole);

    request_head head;
    request_parser parser;
    parsed said{};
    for (std::size_t there = std::min(part, text.size());;
         there = std::min(there + part, text.size())) {
        said = parser.parse(text.substr(0, there), limits, head);
        if (said.state != parsed::incomplete || there == text.size())
            break;
    }
    if (said.state == parsed::incomplete)
        said = parser.parse_end(text, limits, head);
    must(said.state == expected.state && said.why == expected.why && said.bytes == expected.bytes);
    return 0;
}

std::vector<std::string> vk::test::samples()
{
    std::vector<std::string> all;
    for (const taken_request& sample : taken_requests)
        all.push_back(sample.bytes);
    for (const refused_request& sample : refused_requests)
        all.push_back(sample.bytes);
    return all;
}
