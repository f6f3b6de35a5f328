// What parse_cost.py counts the instructions of: one request of the kind that the argument names.

#include "gateway/request_samples.hpp"

#include <vk/gateway/http1/request_head.hpp>

#include <cstdio>
#include <string_view>

using namespace vk::http;

[[gnu::noinline]] parsed parse_counted(std::string_view bytes, const bounds& limits,
                                       request_head& out)
{
    request_parser parser;
    return parser.parse(bytes, limits, out);
}

int main(int argc, char* argv[])
{
    std::string_view kind = argc > 1 ? argv[1] : "";
    const std::string& bytes = kind == "tiny"      ? vk::test::tiny_request
                               : kind == "firefox" ? vk::test::firefox_request
                                                   : vk::test::chromium_request;
    bounds limits;
    request_head head;
    request_parser().parse(bytes, limits, head); // what is bound at its first call is bound
    parsed said = parse_counted(bytes, limits, head);
    std::printf("%zu bytes\n", bytes.size());
    return said.state == parsed::complete && head.bytes() == bytes.size() ? 0 : 1;
}
