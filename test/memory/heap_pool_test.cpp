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
constexpr std::size_t many =
    vk::limits::heap_pages_kept_max + 1; // more than a heap may use and stay warm

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

TEST_CASE("a heap that used few pages is kept warm; of one that used many the system has them back "
          "when there is time")
{
    heap_pool pool({.heap_pages = many, .heaps = 2});
    void* heap = pool.take();
    std::memset(heap, 0xff, pool.heap_bytes());
    pool.give(heap, many - 1, true);
    CHECK_FALSE(pool.soiled());
    REQUIRE(pool.take() == heap);
    CHECK_FALSE(is_zero(heap, page));

    pool.give(heap, many, true);
    CHECK(pool.soiled());
    CHECK_FALSE(is_zero(heap, page)); // not yet
    void* other = pool.take();
    CHECK(other != heap); // nobody gets it as it is
    CHECK(pool.taken() == 1);

    pool.discard_one();
    CHECK_FALSE(pool.soiled());
    CHECK(is_zero(heap, pool.heap_bytes()));
    CHECK(pool.take() == heap);
    pool.discard_one(); // there is none
    pool.give(heap, 1, true);
    pool.give(other, 1, true);
}

TEST_CASE("a pool that has nothing but heaps that wait takes one of them, clean")
{
    heap_pool pool({.heap_pages = many, .heaps = 1});
    void* heap = pool.take();
    std::memset(heap, 0xff, pool.heap_bytes());
    pool.give(heap, many, true);
    REQUIRE(pool.soiled());
    CHECK(pool.take() == heap);
    CHECK(is_zero(heap, pool.heap_bytes()));
    CHECK(pool.overflows() == 0);
    pool.give(heap, 1, true);
}

TEST_CASE("the heaps that wait are few, and their pages too")
{
    constexpr std::size_t few = vk::limits::heaps_soiled_max;
    auto waiting_of = [](std::size_t heaps, std::size_t pages_used) {
        heap_pool pool({.heap_pages = pages_used, .heaps = heaps});
        std::vector<void*> all;
        for (std::size_t i = 0; i < heaps; ++i) {
            all.push_back(pool.take());
            std::memset(all.back(), 0xff, page);
        }
        for (void* heap : all)
            pool.give(heap, pages_used, true);
        std::size_t waiting = 0;
        for (void* heap : all)
            waiting += !is_zero(heap, page);
        for (std::size_t i = 0; i < waiting; ++i)
            pool.discard_one();
        CHECK_FALSE(pool.soiled());
        for (void* heap : all)
            CHECK(is_zero(heap, page));
        return waiting;
    };
    CHECK(waiting_of(few + 3, many) == few);
    CHECK(waiting_of(4, vk::limits::heap_pages_soiled_max / 2) == 2);
    CHECK(waiting_of(2, vk::limits::heap_pages_soiled_max + 1) == 0);
}

TEST_CASE("of a masked pool an open heap goes back at once, and one that waits stays masked")
{
    heap_pool pool({.heap_pages = many, .heaps = 2, .masked = true});
    void* heap = pool.take();
    auto fill = [&] {
        REQUIRE(os::protect(heap, pool.heap_bytes(), os::access::read_write) == 0);
        std::memset(heap, 0xff, pool.heap_bytes());
    };
    fill();
    pool.give(heap, many, true);
    CHECK_FALSE(pool.soiled());
    CHECK(touch(heap).killed_by(SIGSEGV));

    REQUIRE(pool.take() == heap);
    fill();
    REQUIRE(os::protect(heap, pool.heap_bytes(), os::access::none) == 0);
    pool.give(heap, many, false);
    CHECK(pool.soiled());
    CHECK(touch(heap).killed_by(SIGSEGV));
    pool.discard_one();
    CHECK(touch(heap).killed_by(SIGSEGV));
    REQUIRE(pool.take() == heap);
    REQUIRE(os::protect(heap, pool.heap_bytes(), os::access::read_write) == 0);
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
