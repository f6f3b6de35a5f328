// The first byte says how many bytes come at a time, the others are a chunked body: whole and in parts it must be
// decoded alike.

#include "fuzz/target.hpp"
#include "gateway/chunk_samples.hpp"

#include <vk/gateway/http1/chunk_decoder.hpp>

#include <algorithm>
#include <string_view>

using namespace vk::http;
using vk::test::must;

namespace {

struct outcome {
    std::string payload;
    std::size_t bytes = 0;
    chunk_decoder::step::outcome state = chunk_decoder::step::need;
    int status = 0;

    bool operator==(const outcome&) const = default;
};

outcome decode(std::string_view text, std::size_t part)
{
    bounds limits;
    limits.body_bytes = 1000;
    limits.chunk_line_bytes = 40;
    limits.trailer_bytes = 100;
    outcome result;
    chunk_decoder decoder;
    std::size_t there = std::min(part, text.size());
    for (;;) {
        std::string_view bytes = text.substr(result.bytes, there - result.bytes);
        auto step = decoder.next(bytes, limits);
        must(step.skip + step.data <= bytes.size());
        must((step.data > 0) == (step.state == chunk_decoder::step::more));
        result.payload += bytes.substr(step.skip, step.data);
        must(result.payload.size() <= limits.body_bytes);
        result.bytes += step.skip + step.data;
        result.state = step.state;
        result.status = step.status;
        bool over =
            step.state == chunk_decoder::step::done || step.state == chunk_decoder::step::refused;
        if (over || (step.state == chunk_decoder::step::need && there == text.size()))
            return result;
        if (step.state == chunk_decoder::step::need)
            there = std::min(there + part, text.size());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
    if (bytes == 0)
        return 0;
    std::string_view text(reinterpret_cast<const char*>(data) + 1, bytes - 1);
    must(decode(text, 1u + data[0]) == decode(text, text.size() + 1));
    return 0;
}

std::vector<std::string> vk::test::samples()
{
    std::vector<std::string> all;
    for (const chunked_body& sample : chunked_bodies)
        all.push_back(sample.bytes.substr(0, 3000));
    return all;
}
