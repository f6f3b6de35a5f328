#include "support/catch.hpp"
#include "support/random.hpp"

#include "gateway/chunk_samples.hpp"
#include "gateway/exact.hpp"

#include <vk/gateway/http1/chunk_decoder.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

using namespace vk::http;
using namespace vk::test;

namespace {

struct outcome {
    std::string payload;
    std::size_t bytes = 0; ///< consumed
    chunk_decoder::step::outcome state = chunk_decoder::step::need;
    int status = 0;

    bool operator==(const outcome&) const = default;
};

/// What a decoder makes of `text` that comes in parts of as many bytes as `next_part` says.
template <typename NextPart>
outcome decode(std::string_view text, const bounds& limits, NextPart next_part)
{
    outcome result;
    chunk_decoder decoder;
    std::size_t there = 0;
    for (;;) {
        exact part(text.substr(result.bytes, there - result.bytes));
        auto step = decoder.next(part.view(), limits);
        REQUIRE(step.skip + step.data <= part.view().size());
        REQUIRE((step.data > 0) == (step.state == chunk_decoder::step::more));
        result.payload += part.view().substr(step.skip, step.data);
        result.bytes += step.skip + step.data;
        result.state = step.state;
        result.status = step.status;
        if (step.state == chunk_decoder::step::done || step.state == chunk_decoder::step::refused)
            return result;
        if (step.state == chunk_decoder::step::need) {
            REQUIRE(result.bytes == there);
            if (there == text.size())
                return result;
            there = std::min(text.size(), there + next_part());
        }
    }
}

outcome decode(std::string_view text, const bounds& limits = {})
{
    return decode(text, limits, [&] { return text.size(); });
}

} // namespace

TEST_CASE("a chunked body that is one is its payload, one that is not is refused")
{
    for (const chunked_body& sample : chunked_bodies) {
        INFO(sample.about);
        outcome result = decode(sample.bytes);
        CHECK(result.status == sample.status);
        CHECK(result.state ==
              (sample.status == 0 ? chunk_decoder::step::done : chunk_decoder::step::refused));
        CHECK(result.payload == sample.payload);
        if (sample.status == 0) {
            std::size_t end = sample.bytes.rfind("\r\n\r\n") + 4;
            CHECK(result.bytes == end);
        }
    }
}

TEST_CASE("every split of a chunked body gives the same payload")
{
    for (const chunked_body& sample : chunked_bodies) {
        if (sample.bytes.size() > 10'000)
            continue;
        INFO(sample.about);
        outcome whole = decode(sample.bytes);
        for (std::size_t cut = 0; cut <= sample.bytes.size(); ++cut) {
            bool first = true;
            outcome parts = decode(sample.bytes, {}, [&] {
                return std::exchange(first, false) && cut > 0 ? cut : sample.bytes.size();
            });
            REQUIRE(parts == whole);
        }
        outcome bytes = decode(sample.bytes, {}, [] { return 1; });
        REQUIRE(bytes == whole);
    }
}

TEST_CASE("every split of a damaged chunked body gives the same payload")
{
    dice random(seed());
    INFO("VK_SEED=" << seed());
    constexpr std::string_view telling = "\r\n ;:0159afAFx\x00\x01";
    for (int round = 0; round < 5000; ++round) {
        std::string text =
            chunked_bodies[random.below(chunked_bodies.size())].bytes.substr(0, 2000);
        for (auto changes = 1 + random.below(3); changes > 0; --changes) {
            std::size_t at = random.below(text.size());
            if (random.chance(0.5))
                text[at] = telling[random.below(telling.size())];
            else
                text.insert(at, 1, telling[random.below(telling.size())]);
        }
        INFO(text);
        outcome whole = decode(text);
        outcome parts = decode(text, {}, [&] { return 1 + random.below(9); });
        REQUIRE(parts == whole);
    }
}

TEST_CASE("a chunked body that ends early needs more")
{
    std::string text = "5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for (std::size_t bytes = 0; bytes < text.size(); ++bytes)
        CHECK(decode(std::string_view(text).substr(0, bytes)).state == chunk_decoder::step::need);
}

TEST_CASE("a caller with little room takes the payload in parts")
{
    chunk_decoder decoder;
    std::string_view text = "5\r\nhello\r\n0\r\n\r\n";
    auto step = decoder.next(text.substr(0, 5), {});
    CHECK(step.skip == 3);
    CHECK(step.data == 2);
    step = decoder.next(text.substr(5, 2), {});
    CHECK(step.skip == 0);
    CHECK(step.data == 2);
    step = decoder.next(text.substr(7), {});
    CHECK(step.data == 1);
    step = decoder.next(text.substr(8), {});
    CHECK(step.state == chunk_decoder::step::done);
    CHECK(step.skip == 7);
    CHECK(decoder.done());
}

TEST_CASE("a decoder that is done or has refused stays so, until it is reset")
{
    chunk_decoder decoder;
    CHECK(decoder.next("0\r\n\r\n5", {}).state == chunk_decoder::step::done);
    auto after = decoder.next("5\r\nhello", {});
    CHECK(after.state == chunk_decoder::step::done);
    CHECK(after.skip == 0);
    decoder.reset();
    CHECK(decoder.next("x", {}).status == 400);
    CHECK(decoder.next("0\r\n\r\n", {}).status == 400);
    decoder.reset();
    CHECK(decoder.next("0\r\n\r\n", {}).state == chunk_decoder::step::done);
}

TEST_CASE("a bound of a chunked body is the last that is taken")
{
    bounds limits;
    limits.body_bytes = 20;
    limits.chunk_line_bytes = 6;
    limits.trailer_bytes = 8;
    CHECK(decode("14;a\r\n01234567890123456789\r\n0\r\nA: b\r\n\r\n", limits).status == 0);
    CHECK(decode("15\r\n", limits).status == 413);
    CHECK(decode("14;ab\r\n", limits).status == 400);
    CHECK(decode("0\r\nA: bc\r\n\r\n", limits).status == 431);
    limits.body_bytes = 0;
    CHECK(decode("0\r\n\r\n", limits).status == 0);
    CHECK(decode("1\r\nx\r\n0\r\n\r\n", limits).status == 413);
    limits = {};
    limits.body_bytes = ~std::uint64_t{0};
    CHECK(decode("ffffffffffffffff\r\n", limits).status == 0);
    CHECK(decode("10000000000000000\r\n", limits).status == 413);
    CHECK(decode("1\r\nx\r\nffffffffffffffff\r\n", limits).status == 413);
}

TEST_CASE("extensions may be much longer than their chunks for a while only")
{
    auto body = [](int chunks, std::size_t extension) {
        std::string text;
        for (int chunk = 0; chunk < chunks; ++chunk)
            text += "1;" + std::string(extension, 'a') + "\r\nx\r\n";
        return text + "0\r\n\r\n";
    };
    CHECK(decode(body(10'000, 12)).status == 0);
    CHECK(decode(body(10, 1000)).status == 0);
    CHECK(decode(body(20, 1000)).status == 400);
    std::string signed_chunks;
    for (int chunk = 0; chunk < 100; ++chunk)
        signed_chunks +=
            "80;signature=" + std::string(64, 'f') + "\r\n" + std::string(128, 'x') + "\r\n";
    CHECK(decode(signed_chunks + "0\r\n\r\n").status == 0);
}
