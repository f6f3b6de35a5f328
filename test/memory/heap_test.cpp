#include "support/catch.hpp"
#include "support/quiet.hpp"
#include "support/random.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/heap.hpp>
#include <vk/memory/mapping.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

using vk::heap;
using vk::heap_exhausted;
using vk::mapping;

namespace {

constexpr std::size_t page = vk::limits::page_bytes;

// A heap with memory of its own.
class owned_heap {
public:
    explicit owned_heap(std::size_t pages)
        : memory_(pages * page), heap_(heap::create(memory_.base(), pages))
    {
    }
    heap* operator->() noexcept { return &heap_; }
    std::byte* at(std::size_t index) const noexcept { return memory_.base() + index * page; }

private:
    mapping memory_;
    heap& heap_;
};

} // namespace

TEST_CASE("a heap keeps its record in its first page and the others are free")
{
    owned_heap heap(16);
    CHECK(heap->base() == heap.at(0));
    CHECK(heap->pages() == 16);
    CHECK(heap->bytes() == 16 * page);
    CHECK(heap->pages_used() == 1);
    CHECK(heap->pages_high_water() == 1);
}

TEST_CASE("runs are taken upwards and lie next to each other")
{
    owned_heap heap(16);
    CHECK(heap->take(1) == heap.at(1));
    CHECK(heap->take(3) == heap.at(2));
    CHECK(heap->take(2) == heap.at(5));
    CHECK(heap->pages_used() == 7);
}

TEST_CASE("the memory of a run is the taker's, every byte of it")
{
    owned_heap heap(8);
    void* a = heap->take(2);
    void* b = heap->take(3);
    std::memset(a, 0xaa, 2 * page);
    std::memset(b, 0xbb, 3 * page);
    CHECK(std::all_of(heap.at(1), heap.at(3), [](std::byte x) { return x == std::byte{0xaa}; }));
    heap->give(b);
    heap->give(a);
    CHECK(heap->pages_used() == 1);
}

TEST_CASE("a run given back in stack order is the next one taken")
{
    owned_heap heap(16);
    void* a = heap->take(2);
    void* b = heap->take(1);
    heap->give(b);
    CHECK(heap->pages_used() == 3);
    CHECK(heap->take(4) == b);
    heap->give(b);
    heap->give(a);
    CHECK(heap->pages_used() == 1);
    CHECK(heap->take(1) == a);
}

TEST_CASE("a run given back out of order is popped when it reaches the top")
{
    owned_heap heap(16);
    void* a = heap->take(2);
    void* b = heap->take(1);
    void* c = heap->take(3);
    std::size_t full = heap->pages_used();

    heap->give(a); // two runs lie above it
    CHECK(heap->pages_used() == full);
    heap->give(b);
    CHECK(heap->pages_used() == full);
    heap->give(c); // takes the other two along
    CHECK(heap->pages_used() == 1);
    CHECK(heap->take(1) == a);
}

TEST_CASE("popping stops at a run that is still held")
{
    owned_heap heap(16);
    void* a = heap->take(1);
    void* held = heap->take(1);
    void* c = heap->take(1);
    void* d = heap->take(1);
    heap->give(a);
    heap->give(c);
    heap->give(d);
    CHECK(heap->pages_used() == 3);
    CHECK(heap->take(1) == c);
    heap->give(c);
    heap->give(held);
    CHECK(heap->pages_used() == 1);
}

TEST_CASE("the high water is the most that was ever used")
{
    owned_heap heap(16);
    void* a = heap->take(5);
    heap->give(a);
    CHECK(heap->pages_used() == 1);
    CHECK(heap->pages_high_water() == 6);
    void* b = heap->take(2);
    CHECK(heap->pages_high_water() == 6);
    void* c = heap->take(9);
    CHECK(heap->pages_high_water() == 12);
    heap->give(c);
    heap->give(b);
    CHECK(heap->pages_high_water() == 12);
}

TEST_CASE("a heap that is full to its last page is not exhausted yet")
{
    owned_heap heap(4);
    void* all = heap->take(3);
    CHECK(heap->pages_used() == 4);
    CHECK(heap->try_take(1) == nullptr);
    heap->give(all);
    CHECK(heap->pages_used() == 1);
}

TEST_CASE("an exhausted heap names the pages that were needed and is as before")
{
    vk::test::quiet quiet;
    owned_heap heap(8);
    void* held = heap->take(4);
    try {
        (void)heap->take(6);
        FAIL("took more than there is");
    } catch (const heap_exhausted& e) {
        CHECK(e.pages_needed() == 11);
        CHECK(e.code() == std::errc::not_enough_memory);
    }
    CHECK(heap->pages_used() == 5);
    CHECK(heap->pages_high_water() == 5);
    void* rest = heap->take(3); // what is there is to be had
    CHECK(rest == heap.at(5));
    heap->give(rest);
    heap->give(held);
    CHECK(heap->pages_used() == 1);
}

TEST_CASE("a take that may fail says nothing but null, and can be explained later")
{
    vk::test::quiet quiet;
    owned_heap heap(4);
    CHECK(heap->try_take(9) == nullptr);
    CHECK(heap->pages_used() == 1);
    void* one = heap->try_take(1);
    CHECK(one == heap.at(1));
    try {
        heap->throw_exhausted();
    } catch (const heap_exhausted& e) {
        CHECK(e.pages_needed() == 10);
    }
    heap->give(one);
}

TEST_CASE("a request of absurd size is refused with its true number of pages")
{
    vk::test::quiet quiet;
    owned_heap heap(4);
    std::size_t pages = (std::size_t{1} << 32) + 1;
    try {
        (void)heap->take(pages);
        FAIL("took more than there is");
    } catch (const heap_exhausted& e) {
        CHECK(e.pages_needed() == pages + 1);
    }
    CHECK(heap->pages_used() == 1);
}

TEST_CASE("what is carved follows the record, aligned, and costs no page of its own")
{
    owned_heap heap(8);
    auto* a = static_cast<std::byte*>(heap->carve(10));
    auto* b = static_cast<std::byte*>(heap->carve(100));
    CHECK(heap->pages_used() == 1);
    CHECK(a > heap.at(0));
    CHECK(reinterpret_cast<std::uintptr_t>(a) % 64 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(b) % 64 == 0);
    CHECK(b - a == 64);

    heap::room rest = heap->rest();
    CHECK(rest.begin >= b + 100);
    CHECK(rest.begin < b + 116);
    CHECK(rest.end == heap.at(1));
}

TEST_CASE("carving more than the first page takes whole pages, and runs begin after them")
{
    owned_heap heap(8);
    auto* a = static_cast<std::byte*>(heap->carve(2 * page));
    CHECK(heap->pages_used() == 3);
    CHECK(heap->pages_high_water() == 3);
    std::memset(a, 1, 2 * page);
    heap::room rest = heap->rest();
    CHECK(rest.begin <= rest.end);
    CHECK(rest.end == heap.at(3));
    CHECK(heap->take(1) == heap.at(3));
}

TEST_CASE("carving more than there is is refused and changes nothing")
{
    vk::test::quiet quiet;
    owned_heap heap(2);
    heap::room before = heap->rest();
    try {
        (void)heap->carve(2 * page);
        FAIL("carved more than there is");
    } catch (const heap_exhausted& e) {
        CHECK(e.pages_needed() == 3);
    }
    CHECK(heap->pages_used() == 1);
    CHECK(heap->rest().begin == before.begin);
    CHECK(heap->take(1) == heap.at(1));
}

TEST_CASE("heaps of every size up to some hundreds of pages hold their own record")
{
    // The record grows with the number of pages; a run must never lie on it.
    for (std::size_t pages : {2, 3, 17, 255, 512, 513, 600, 1100}) {
        owned_heap heap(pages);
        std::size_t first = heap->pages_used();
        CHECK(first >= 1);
        std::size_t runs = pages - first;
        for (std::size_t i = 0; i < runs; ++i)
            std::memset(heap->take(1), 0xff, page);
        CHECK(heap->try_take(1) == nullptr);
        for (std::size_t i = pages; i > first; --i)
            heap->give(heap.at(i - 1));
        CHECK(heap->pages_used() == first);
    }
}

TEST_CASE("random takes and gives keep the stack's order", "[property]")
{
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    vk::test::dice dice(seed);

    // The model: runs in the order of their addresses, each marked once it is given back.
    struct run {
        std::byte* at;
        std::size_t pages;
        bool given;
    };
    std::vector<run> model;
    constexpr std::size_t pages = 64;
    owned_heap heap(pages);
    std::size_t top = 1;
    std::size_t high = 1;

    for (int step = 0; step < 20'000; ++step) {
        if (dice.chance(0.5)) {
            std::size_t wanted = 1 + dice.below(6);
            void* got = heap->try_take(wanted);
            if (top + wanted > pages) {
                REQUIRE(got == nullptr);
            } else {
                REQUIRE(got == heap.at(top));
                model.push_back({heap.at(top), wanted, false});
                top += wanted;
                high = std::max(high, top);
            }
        } else {
            std::vector<std::size_t> held;
            for (std::size_t i = 0; i < model.size(); ++i)
                if (!model[i].given)
                    held.push_back(i);
            if (held.empty())
                continue;
            run& chosen = model[held[dice.below(held.size())]];
            chosen.given = true;
            heap->give(chosen.at);
            while (!model.empty() && model.back().given) {
                top -= model.back().pages;
                model.pop_back();
            }
        }
        REQUIRE(heap->pages_used() == top);
        REQUIRE(heap->pages_high_water() == high);
    }
}
