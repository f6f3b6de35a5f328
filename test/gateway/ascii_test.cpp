#include "support/catch.hpp"
#include "support/random.hpp"

#include "gateway/exact.hpp"

#include <vk/gateway/http1/ascii.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace vk::http;
using namespace vk::test;

namespace {

enum class leaps { as_far, not_farther };

/// The scan by blocks stops where the scan by bytes does, or before it where the class has rare members.
template <ascii::class_bits Class>
void check_scan(std::string_view text, leaps how)
{
    exact bytes(text);
    const char* begin = bytes.view().data();
    const char* end = begin + text.size();
    const char* expected = ascii::by_byte::skip<Class>(begin, end);
    const char* leapt = ascii::by_block::leap<Class>(begin, end);
    REQUIRE(ascii::skip<Class>(begin, end) == expected);
    REQUIRE((how == leaps::as_far ? leapt == expected : leapt <= expected));
}

void check_all_scans(std::string_view text)
{
    check_scan<ascii::token>(text, leaps::not_farther);
    check_scan<ascii::value>(text, leaps::not_farther);
    check_scan<ascii::path>(text, leaps::as_far);
    check_scan<ascii::query>(text, leaps::as_far);
    check_scan<ascii::word>(text, leaps::as_far);
    check_scan<ascii::digit>(text, leaps::as_far);
}

} // namespace

TEST_CASE("a scan by blocks sees each byte at each place as a scan by bytes does")
{
    for (char filling : {'a', '0', '-'})
        for (std::size_t at = 0; at < 33; ++at)
            for (int c = 0; c < 256; ++c) {
                std::string text(33, filling);
                text[at] = static_cast<char>(c);
                check_all_scans(text);
            }
}

TEST_CASE("a scan by blocks stops where a scan by bytes does")
{
    dice random(seed());
    INFO("VK_SEED=" << seed());
    for (int round = 0; round < 20'000; ++round) {
        std::string text(random.below(70), ' ');
        bool rare = random.chance(0.9);
        for (char& c : text)
            c = static_cast<char>(rare && random.below(64) > 0 ? 'a' + random.below(26)
                                                               : random.below(256));
        check_all_scans(text);
    }
}

TEST_CASE("the classes are those of the grammar")
{
    auto members = [](unsigned bits) {
        std::string all;
        for (int c = 0; c < 256; ++c)
            if (ascii::is(static_cast<char>(c), bits))
                all += static_cast<char>(c);
        return all;
    };
    CHECK(members(ascii::token) ==
          "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
    CHECK(members(ascii::word) ==
          "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    CHECK(members(ascii::name) ==
          "!$&'()*+,-.0123456789;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
    CHECK(members(ascii::hex) == "0123456789ABCDEFabcdef");
    CHECK(members(ascii::digit) == "0123456789");
    CHECK(members(ascii::query).size() == 93);
    CHECK(members(ascii::path).size() == 92);
    CHECK(members(ascii::value).size() == 1 + 95 + 128);
}

TEST_CASE("names are compared without regard to the case of letters alone")
{
    CHECK(ascii::equal("Content-Length", "cONTENT-lENGTH"));
    CHECK_FALSE(ascii::equal("a", "ab"));
    CHECK_FALSE(ascii::equal("[", "{"));
    CHECK_FALSE(ascii::equal("@", "`"));
    CHECK(ascii::matches("HOST", "host"));
    CHECK_FALSE(ascii::matches("HOSE", "host"));
    CHECK(ascii::matches("ExPeCt", "expect"));
    CHECK_FALSE(ascii::matches("accept", "expect"));
    CHECK(ascii::matches("Transfer-Encoding", "transfer-encoding"));
    std::string name = "Transfer-Encoding";
    for (char& c : name) {
        char was = std::exchange(c, 'q');
        CHECK_FALSE(ascii::matches(name.data(), "transfer-encoding"));
        c = was;
    }
}

TEST_CASE("the elements of a list come without whitespace, the empty ones not at all")
{
    auto elements = [](std::string_view list) {
        std::vector<std::string> all;
        ascii::for_each_element(list, [&](std::string_view element) { all.emplace_back(element); });
        return all;
    };
    using texts = std::vector<std::string>;
    CHECK(elements("") == texts{});
    CHECK(elements(" , ,\t") == texts{});
    CHECK(elements("a") == texts{"a"});
    CHECK(elements("a,b c ,\td,") == texts{"a", "b c", "d"});
}
