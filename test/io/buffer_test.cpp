#include "proc/process_by_hand.hpp"
#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/io/buffer.hpp>

#include <algorithm>
#include <cstring>
#include <string>

using vk::buffer;
using vk::lender;
using vk::process;
using vk::test::process_by_hand;

namespace {

constexpr std::size_t block = vk::limits::block_bytes;
constexpr std::size_t block_pages = block / vk::limits::page_bytes;

bool next_block_is_zero(lender& blocks)
{
    std::byte* one = blocks.lend();
    bool zero = std::all_of(one, one + block, [](std::byte b) { return b == std::byte{0}; });
    blocks.take_back(one, 0);
    return zero;
}

void write(buffer& to, const std::string& text)
{
    REQUIRE(to.write(text.data(), text.size()) == text.size());
}

} // namespace

TEST_CASE("a buffer has no storage until it acquires some, and then a lent block")
{
    process_by_hand on;
    process& owner = on.made;
    lender& blocks = on.shared->blocks;
    std::size_t pages = owner.heap().pages_used();
    buffer b;
    CHECK_FALSE(b.attached());
    REQUIRE(b.acquire(owner));
    CHECK(b.capacity() == block);
    CHECK(blocks.lent() == 1);
    CHECK(owner.heap().pages_used() == pages);
    CHECK_FALSE(on.holds(b.data()));
    REQUIRE(b.acquire(owner)); // it has
    CHECK(blocks.lent() == 1);
    b.settle(owner);
    CHECK_FALSE(b.attached());
    CHECK(blocks.lent() == 0);
}

TEST_CASE("a buffer with bytes in it keeps its block")
{
    process_by_hand on;
    process& owner = on.made;
    buffer b;
    b.acquire(owner);
    write(b, "kept");
    b.settle(owner);
    REQUIRE(b.attached());
    CHECK(b.front() == "kept");
    CHECK(on.shared->blocks.lent() == 1);

    b.consume(4);
    b.settle(owner);
    CHECK_FALSE(b.attached());
    CHECK(on.shared->blocks.lent() == 0);
}

TEST_CASE("a block that goes back was scrubbed of what was in it")
{
    process_by_hand on(32, 1);
    process& owner = on.made;
    buffer b;
    for (std::size_t bytes : {std::size_t{5}, std::size_t{3000}, block}) {
        b.acquire(owner);
        write(b, std::string(bytes, 'x'));
        b.consume(bytes);
        b.settle(owner);
        CHECK(next_block_is_zero(on.shared->blocks));
    }
    // Through a wrap.
    b.acquire(owner);
    write(b, std::string(block - 10, 'x'));
    b.consume(100);
    write(b, std::string(60, 'y'));
    b.discard(owner);
    CHECK(next_block_is_zero(on.shared->blocks));
}

TEST_CASE("a buffer takes pages of the heap where no block is to be had")
{
    process_by_hand on(32, 1);
    process& owner = on.made;
    std::size_t pages = owner.heap().pages_used();
    buffer first;
    buffer second;
    REQUIRE(first.acquire(owner));
    REQUIRE(second.acquire(owner));
    CHECK(second.capacity() == block);
    CHECK(on.holds(second.data()));
    CHECK(owner.heap().pages_used() == pages + block_pages);
    write(second, "text");
    second.settle(owner);
    CHECK(second.attached());
    second.consume(4);
    second.settle(owner);
    CHECK(owner.heap().pages_used() == pages);
    first.settle(owner);
}

TEST_CASE("a buffer that finds neither block nor pages says so, and the heap knows what it lacks")
{
    process_by_hand on(4, 1);
    process& owner = on.made;
    std::byte* elsewhere = on.shared->blocks.lend();
    buffer b;
    CHECK_FALSE(b.acquire(owner));
    CHECK_FALSE(b.attached());
    try {
        owner.heap().throw_exhausted();
    } catch (const vk::heap_exhausted& e) {
        CHECK(e.pages_needed() == 1 + block_pages);
    }
    on.shared->blocks.take_back(elsewhere, 0);
    CHECK(b.acquire(owner));
    b.settle(owner);
}

TEST_CASE("a buffer grows into pages of the heap, twice as many each time, with its bytes")
{
    process_by_hand on(40, 1);
    process& owner = on.made;
    std::size_t pages = owner.heap().pages_used();
    buffer b;
    b.acquire(owner);
    write(b, std::string(block, 'a'));
    b.consume(1);
    write(b, "b");
    REQUIRE(b.grow(owner));
    CHECK(b.capacity() == 2 * block);
    CHECK(b.size() == block);
    CHECK(b.front() == std::string(block - 1, 'a') + "b");
    CHECK(on.shared->blocks.lent() == 0);
    CHECK(next_block_is_zero(on.shared->blocks));
    CHECK(owner.heap().pages_used() == pages + 2 * block_pages);

    REQUIRE(b.grow(owner));
    CHECK(b.capacity() == 4 * block);
    CHECK(b.front() == std::string(block - 1, 'a') + "b");

    CHECK_FALSE(b.grow(owner)); // there are no 32 pages left
    CHECK(b.capacity() == 4 * block);
    CHECK(b.size() == block);
    b.discard(owner);
    CHECK_FALSE(b.attached());
    CHECK(owner.heap().pages_used() == pages);
}

TEST_CASE("a block that was kept between dispatches and is outgrown goes back")
{
    process_by_hand on(64, 1);
    process& owner = on.made;
    buffer b;
    b.acquire(owner);
    write(b, "kept");
    b.settle(owner);
    CHECK(on.shared->blocks.lent() == 1);
    REQUIRE(b.grow(owner));
    CHECK(on.shared->blocks.lent() == 0);
    b.discard(owner);
}

TEST_CASE("discarding drops what is in the buffer, held or not")
{
    process_by_hand on;
    buffer b;
    b.acquire(on.made);
    write(b, "line\nrest");
    b.hold(5);
    b.discard(on.made);
    CHECK_FALSE(b.attached());
    CHECK(b.size() == 0);
    CHECK_FALSE(b.holds());
    b.discard(on.made); // of nothing
    CHECK(on.shared->blocks.lent() == 0);
}

TEST_CASE("a full block changes hands without copying")
{
    process_by_hand on;
    process& owner = on.made;
    buffer from;
    buffer to;
    from.acquire(owner);
    to.acquire(owner);
    write(from, "bytes");
    from.settle(owner); // kept over a dispatch
    char* where = from.data();
    REQUIRE(to.take_all(from));
    CHECK(to.data() == where);
    CHECK(to.front() == "bytes");
    CHECK(from.size() == 0);
    to.settle(owner);
    from.settle(owner);
    CHECK_FALSE(from.attached());
    CHECK(on.shared->blocks.lent() == 1);
    to.discard(owner);
    CHECK(on.shared->blocks.lent() == 0);
    CHECK(next_block_is_zero(on.shared->blocks));
}

TEST_CASE("a buffer that holds bytes, or lies in the heap, changes hands by copying alone")
{
    process_by_hand on(64, 2);
    process& owner = on.made;
    buffer from;
    buffer to;
    from.acquire(owner);
    to.acquire(owner);
    write(from, "bytes");
    write(to, "more");
    CHECK_FALSE(to.take_all(from));
    CHECK(to.front() == "more");
    CHECK(from.front() == "bytes");
    to.consume(4);
    REQUIRE(from.grow(owner));
    CHECK_FALSE(to.take_all(from));
    CHECK(from.front() == "bytes");
    from.discard(owner);
    to.discard(owner);
    CHECK(on.shared->blocks.lent() == 0);
}
