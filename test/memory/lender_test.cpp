#include "support/catch.hpp"
#include "support/random.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/lender.hpp>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

using vk::lender;

namespace {

constexpr std::size_t bytes = vk::limits::block_bytes;

bool is_zero(const std::byte* block)
{
    return std::all_of(block, block + bytes, [](std::byte b) { return b == std::byte{0}; });
}

} // namespace

TEST_CASE("a block is lent to one borrower, all of it")
{
    lender blocks(4);
    std::byte* a = blocks.lend();
    std::byte* b = blocks.lend();
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
    CHECK(blocks.lent() == 2);
    CHECK((a + bytes <= b || b + bytes <= a));
    std::memset(a, 1, bytes);
    CHECK(is_zero(b));

    blocks.take_back(a, bytes);
    CHECK(blocks.lent() == 1);
    blocks.take_back(b, 0);
    CHECK(blocks.lent() == 0);
}

TEST_CASE("the block that came back last is lent next, without what was written in it")
{
    // Both sides of the bound below which a block is scrubbed without a call.
    std::size_t used = GENERATE(0, 1, 100, 127, 128, 129, 200, 5000, bytes);
    lender blocks(4);
    std::byte* a = blocks.lend();
    std::memset(a, 0xff, used);
    blocks.take_back(a, used);
    std::byte* b = blocks.lend();
    CHECK(b == a);
    CHECK(is_zero(b));
    blocks.take_back(b, 0);
}

TEST_CASE("what a borrower wrote and did not own up to is seen by the next")
{
    // So the rule is a ring's to keep: what it says was touched includes every byte written.
    lender blocks(1);
    std::byte* a = blocks.lend();
    a[4000] = std::byte{1};
    blocks.take_back(a, 3000);
    CHECK(blocks.lend()[4000] == std::byte{1});
    blocks.take_back(a, 4001);
}

TEST_CASE("a lender whose blocks are all out lends none until one is back")
{
    lender blocks(2);
    std::byte* a = blocks.lend();
    std::byte* b = blocks.lend();
    CHECK(blocks.lend() == nullptr);
    CHECK(blocks.lent() == 2);
    blocks.take_back(a, 0);
    CHECK(blocks.lend() == a);
    CHECK(blocks.lend() == nullptr);
    blocks.take_back(a, 0);
    blocks.take_back(b, 0);
    CHECK(blocks.lent() == 0);
}

TEST_CASE("blocks beyond those kept warm come back from the system as zero")
{
    constexpr std::size_t count = vk::limits::blocks_kept_max + 8;
    std::size_t used = GENERATE(std::size_t{10}, bytes);
    lender blocks(count);
    std::vector<std::byte*> held;
    for (std::size_t i = 0; i < count; ++i) {
        held.push_back(blocks.lend());
        REQUIRE(held.back() != nullptr);
        std::memset(held.back(), 0xff, used);
    }
    CHECK(blocks.lent() == count);
    for (std::byte* one : held)
        blocks.take_back(one, used);
    CHECK(blocks.lent() == 0);
    for (std::byte*& one : held) {
        one = blocks.lend();
        CHECK(is_zero(one));
    }
    for (std::byte* one : held)
        blocks.take_back(one, 0);
}

TEST_CASE("random lending never lends a block twice, nor one with bytes in it", "[property]")
{
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    vk::test::dice dice(seed);
    constexpr std::size_t count = 90;
    lender blocks(count);
    std::vector<std::byte*> places(count + 10, nullptr);
    std::set<std::byte*> out;

    for (int step = 0; step < 10'000; ++step) {
        std::byte*& one = places[dice.below(places.size())];
        if (one) {
            std::size_t used = dice.below(300);
            std::memset(one, 0xff, used);
            out.erase(one);
            blocks.take_back(one, used);
            one = nullptr;
        } else if ((one = blocks.lend())) {
            REQUIRE(out.insert(one).second);
            REQUIRE(std::all_of(one, one + 300, [](std::byte b) { return b == std::byte{0}; }));
        } else {
            REQUIRE(out.size() == count);
        }
        REQUIRE(blocks.lent() == out.size());
    }
    for (std::byte* one : places)
        if (one)
            blocks.take_back(one, 0);
    CHECK(blocks.lent() == 0);
}

TEST_CASE("a lender for which there is no address space is refused")
{
    CHECK_THROWS_AS(lender(std::size_t{1} << 48), vk::error);
}

TEST_CASE("each holder has a list of its own, from which blocks leave in any order", "[property]")
{
    constexpr std::size_t blocks_max = 16;
    lender blocks(blocks_max);
    lender::holder who[3] = {};
    std::vector<std::byte*> held[3];
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    vk::test::dice dice(seed);
    for (int step = 0; step < 20'000; ++step) {
        std::size_t at = dice.below(3);
        blocks.lend_to(who[at]);
        if (dice.below(2) == 0) {
            if (std::byte* one = blocks.lend())
                held[at].push_back(one);
        } else if (!held[at].empty()) {
            auto out = held[at].begin() + static_cast<std::ptrdiff_t>(dice.below(held[at].size()));
            blocks.take_back(*out, dice.below(300));
            held[at].erase(out);
        }
        std::vector<std::byte*> listed;
        blocks.for_each_of(who[at], [&](std::byte* one) { listed.push_back(one); });
        std::sort(listed.begin(), listed.end());
        std::vector<std::byte*> expected = held[at];
        std::sort(expected.begin(), expected.end());
        REQUIRE(listed == expected);
        REQUIRE(blocks.lent() == held[0].size() + held[1].size() + held[2].size());
    }
}

TEST_CASE("all that a holder has is taken back at once, and reads as zero when it is lent again")
{
    lender blocks(4);
    lender::holder gone = 0;
    lender::holder other = 0;
    blocks.lend_to(gone);
    for (int i = 0; i < 3; ++i)
        std::memset(blocks.lend(), 0xff, vk::limits::block_bytes);
    blocks.lend_to(other);
    std::byte* kept = blocks.lend();
    *kept = std::byte{7};

    blocks.take_back_all(gone);
    CHECK(gone == 0);
    CHECK(blocks.lent() == 1);
    CHECK(*kept == std::byte{7});
    blocks.lend_to(other);
    for (int i = 0; i < 3; ++i) {
        std::byte* again = blocks.lend();
        REQUIRE(again != nullptr);
        CHECK(std::count(again, again + vk::limits::block_bytes, std::byte{0}) ==
              static_cast<std::ptrdiff_t>(vk::limits::block_bytes));
    }
    blocks.take_back_all(other);
    CHECK(blocks.lent() == 0);
}
