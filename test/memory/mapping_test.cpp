#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/mapping.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

using vk::mapping;
using vk::round_up;

static_assert(round_up(0, 16) == 0);
static_assert(round_up(1, 16) == 16);
static_assert(round_up(16, 16) == 16);
static_assert(round_up(17, 16) == 32);
static_assert(!std::is_copy_constructible_v<mapping>);

namespace {

constexpr std::size_t page = 4096;

// Whether the system backs the memory at `at` with a mapping: msync(2) and its kin are not the library's, so
// ask it to give back the page, which fails where nothing is mapped.
bool is_mapped(std::byte* at)
{
    return vk::os::discard(at, page) == 0;
}

} // namespace

TEST_CASE("a mapping is zero, writable, and a multiple of the page")
{
    mapping memory(page + 1);
    CHECK(memory);
    CHECK(memory.bytes() == 2 * page);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.base()) % page == 0);
    CHECK(std::all_of(memory.base(), memory.base() + memory.bytes(),
                      [](std::byte b) { return b == std::byte{0}; }));
    memory.base()[2 * page - 1] = std::byte{1};
}

TEST_CASE("a mapping knows what lies in it")
{
    mapping memory(2 * page);
    CHECK(memory.contains(memory.base()));
    CHECK(memory.contains(memory.base() + 2 * page - 1));
    CHECK_FALSE(memory.contains(memory.base() + 2 * page));
    CHECK_FALSE(memory.contains(memory.base() - 1));
    CHECK_FALSE(mapping().contains(memory.base()));
}

TEST_CASE("a mapping is given back when it goes out of scope")
{
    std::byte* at;
    {
        mapping memory(page);
        at = memory.base();
        CHECK(is_mapped(at));
    }
    CHECK_FALSE(is_mapped(at));
}

TEST_CASE("a mapping that was moved from holds nothing, and its memory stays")
{
    mapping a(page);
    std::byte* at = a.base();
    mapping b(std::move(a));
    CHECK(b.base() == at);
    CHECK(b.bytes() == page);

    mapping c;
    CHECK_FALSE(c);
    c = std::move(b);
    CHECK(c.base() == at);
    CHECK(is_mapped(at));
}

TEST_CASE("memory that the address space does not hold is refused with ENOMEM")
{
    try {
        mapping memory(std::size_t{1} << 62);
        FAIL("mapped 4 EiB");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::not_enough_memory);
    }
}
