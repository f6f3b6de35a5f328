#include "support/catch.hpp"
#include "support/child.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/heap_pool.hpp>

#include <csignal>
#include <cstring>
#include <memory_resource>
#include <set>
#include <vector>

using vk::heap_pool;
using vk::test::ending;
using vk::test::in_child;
namespace os = vk::os;

namespace {

constexpr std::size_t page = vk::limits::page_bytes;

bool is_zero(const void* at, std::size_t bytes)
{
    auto* first = static_cast<const std::byte*>(at);
    for (std::size_t i = 0; i < bytes; ++i)
        if (first[i] != std::byte{0})
            return false;
    return true;
}

// How a program ends that writes a byte to `at`.
ending touch(void* at)
{
    return in_child([at] {
        *static_cast<volatile char*>(at) = 1;
        return 0;
    });
}

} // namespace

TEST_CASE("heaps of a pool are apart, page-aligned and of equal size")
{
    heap_pool pool({.heap_pages = 3, .heaps = 8});
    CHECK(pool.heap_pages() == 3);
    CHECK(pool.heap_bytes() == 3 * page);
    std::set<std::byte*> all;
    for (int i = 0; i < 8; ++i) {
        auto* heap = static_cast<std::byte*>(pool.take());
        REQUIRE(heap != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(heap) % page == 0);
        std::memset(heap, i + 1, pool.heap_bytes());
        all.insert(heap);
    }
    CHECK(all.size() == 8);
    CHECK(pool.taken() == 8);
    for (auto at = all.begin(); std::next(at) != all.end(); ++at)
        CHECK(*std::next(at) - *at >= static_cast<std::ptrdiff_t>(pool.heap_bytes()));
    for (std::byte* heap : all)
        pool.give(heap, 1, true);
    CHECK(pool.taken() == 0);
    CHECK(pool.overflows() == 0);
}

TEST_CASE("a heap that is given back is the next one taken")
{
    heap_pool pool({.heap_pages = 2, .heaps = 16});
    void* a = pool.take();
    void* b = pool.take();
    pool.give(a, 1, true);
    CHECK(pool.take() == a);
    pool.give(a, 1, true);
    pool.give(b, 1, true);
    CHECK(pool.take() == b); // the hottest first
    CHECK(pool.take() == a);
    pool.give(a, 1, true);
    pool.give(b, 1, true);
}

TEST_CASE("an exhausted pool takes a fresh mapping and says so in a counter")
{
    heap_pool pool({.heap_pages = 2, .heaps = 2});
    void* a = pool.take();
    void* b = pool.take();
    CHECK(pool.overflows() == 0);
    auto* c = static_cast<std::byte*>(pool.take());
    REQUIRE(c != nullptr);
    CHECK(pool.overflows() == 1);
    CHECK(pool.taken() == 3);
    std::memset(c, 1, pool.heap_bytes());

    // It goes back to the system, not to the pool.
    pool.give(c, 2, true);
    CHECK(os::discard(c, page) < 0);
    CHECK(pool.taken() == 2);

    // And the pool serves again when it can.
    pool.give(a, 1, true);
    CHECK(pool.take() == a);
    CHECK(pool.overflows() == 1);
    pool.give(a, 1, true);
    pool.give(b, 1, true);
}

TEST_CASE("a heap that used many pages is given back to the system, one that used few is kept warm")
{
    heap_pool pool({.heap_pages = 8, .heaps = 4});
    void* heap = pool.take();
    std::memset(heap, 0xff, pool.heap_bytes());
    pool.give(heap, vk::limits::heap_pages_kept_max, true);
    REQUIRE(pool.take() == heap);
    CHECK_FALSE(is_zero(heap, page));

    pool.give(heap, vk::limits::heap_pages_kept_max + 1, true);
    REQUIRE(pool.take() == heap);
    CHECK(is_zero(heap, pool.heap_bytes()));
    pool.give(heap, 1, true);
}

TEST_CASE("free heaps beyond those kept warm are given back to the system")
{
    constexpr std::size_t kept = vk::limits::heaps_kept_max;
    heap_pool pool({.heap_pages = 1, .heaps = kept + 2});
    std::vector<void*> all;
    for (std::size_t i = 0; i < kept + 2; ++i) {
        all.push_back(pool.take());
        std::memset(all.back(), 0xff, page);
    }
    for (void* heap : all)
        pool.give(heap, 1, true);
    std::size_t cold = 0;
    for (std::size_t i = 0; i < kept + 2; ++i)
        cold += is_zero(pool.take(), page);
    CHECK(cold == 2);
    for (void* heap : all)
        pool.give(heap, 1, true);
}

TEST_CASE("a heap of a masked pool is out of reach until it is opened")
{
    for (std::size_t apart : {0, 2, 4}) {
        heap_pool pool({.heap_pages = 2, .heaps = 4, .masked = true, .apart_max = apart});
        void* a = pool.take();
        void* b = pool.take();
        CHECK(touch(a).killed_by(SIGSEGV));
        CHECK(touch(static_cast<std::byte*>(a) + pool.heap_bytes() - 1).killed_by(SIGSEGV));

        REQUIRE(os::protect(a, pool.heap_bytes(), os::access::read_write) == 0);
        CHECK(touch(a).exited_with(0));
        CHECK(touch(b).killed_by(SIGSEGV)); // the other one is as before

        // Given back open, it is masked again; what was masked stays so.
        pool.give(a, 1, true);
        CHECK(touch(a).killed_by(SIGSEGV));
        pool.give(b, 1, false);
        CHECK(touch(b).killed_by(SIGSEGV));
        CHECK(pool.take() == b);
        CHECK(touch(b).killed_by(SIGSEGV));
        pool.give(b, 1, false);
    }
}

TEST_CASE("a heap from beyond a masked pool is masked too")
{
    heap_pool pool({.heap_pages = 2, .heaps = 1, .masked = true});
    void* a = pool.take();
    void* beyond = pool.take();
    CHECK(pool.overflows() == 1);
    CHECK(touch(beyond).killed_by(SIGSEGV));
    pool.give(beyond, 1, false);
    pool.give(a, 1, false);
}

TEST_CASE("the pool's own lists lie where they were told to")
{
    std::byte room[256];
    std::pmr::monotonic_buffer_resource records(room, sizeof(room),
                                                std::pmr::null_memory_resource());
    heap_pool pool({.heap_pages = 1, .heaps = 32}, &records);
    std::vector<void*> all;
    for (int i = 0; i < 32; ++i)
        all.push_back(pool.take());
    for (void* heap : all)
        pool.give(heap, 1, true); // no list grows: the null resource would throw
    CHECK(pool.taken() == 0);
}

TEST_CASE("a pool for which there is no address space is refused")
{
    heap_pool::shape vast{.heap_pages = std::size_t{1} << 28, .heaps = std::size_t{1} << 20};
    CHECK_THROWS_AS(heap_pool(vast), vk::error);
}
