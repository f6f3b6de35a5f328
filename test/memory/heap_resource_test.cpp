#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/frame_stack.hpp>
#include <vk/memory/heap_resource.hpp>
#include <vk/memory/mapping.hpp>

#include <cstdint>
#include <memory_resource>
#include <string>
#include <vector>

using vk::frame_stack;
using vk::heap;
using vk::heap_resource;

namespace {

constexpr std::size_t page = vk::limits::page_bytes;

// What runs is a thread with a heap of `pages`.
class running {
public:
    explicit running(std::size_t pages)
        : memory_(pages * page),
          under(heap::create(memory_.base(), pages)),
          stack(under, under.rest())
    {
        frame_stack::current = &stack;
    }
    ~running() { frame_stack::current = nullptr; }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    bool holds(const void* at) const { return memory_.contains(at); }

private:
    vk::mapping memory_;

public:
    heap& under;
    frame_stack stack;
};

} // namespace

TEST_CASE("a string and a vector live in the heap of the process that runs")
{
    running here(32);
    auto before = vk::test::allocations_now();
    bool inside = true;
    {
        std::pmr::string text(heap_resource());
        std::pmr::vector<int> numbers(heap_resource());
        for (int i = 0; i < 3000; ++i) {
            text += "0123456789"[i % 10];
            numbers.push_back(i);
        }
        inside = here.holds(text.data()) && here.holds(numbers.data());
        CHECK(text.size() == 3000);
        CHECK(text[2999] == '9');
        CHECK(numbers[2999] == 2999);
        CHECK(here.under.pages_used() > 1);
    }
    CHECK(inside);
    CHECK(here.stack.empty());
    CHECK(here.under.pages_used() == 1);
    auto after = vk::test::allocations_now();
    CHECK(after.live() == before.live());
}

TEST_CASE("small allocations share the frame stack's room and take no page")
{
    running here(8);
    std::size_t before = here.under.pages_used();
    void* a = heap_resource()->allocate(100, 8);
    void* b = heap_resource()->allocate(100, 16);
    CHECK(here.under.pages_used() == before);
    CHECK(here.holds(a));
    CHECK(reinterpret_cast<std::uintptr_t>(b) % 16 == 0);
    heap_resource()->deallocate(b, 100, 16);
    heap_resource()->deallocate(a, 100, 8);
    CHECK(here.stack.empty());
}

TEST_CASE("large allocations are whole pages, and so are strictly aligned ones")
{
    running here(16);
    std::size_t before = here.under.pages_used();
    void* large = heap_resource()->allocate(2 * page + 1, 8);
    CHECK(here.under.pages_used() == before + 3);
    void* aligned = heap_resource()->allocate(64, 64);
    CHECK(reinterpret_cast<std::uintptr_t>(aligned) % 64 == 0);
    CHECK(here.under.pages_used() == before + 4);
    heap_resource()->deallocate(aligned, 64, 64);
    heap_resource()->deallocate(large, 2 * page + 1, 8);
    CHECK(here.under.pages_used() == before);
    CHECK(here.stack.empty());
}

TEST_CASE("nothing is something: an allocation of no bytes has an address of its own")
{
    running here(4);
    void* a = heap_resource()->allocate(0);
    void* b = heap_resource()->allocate(0);
    CHECK(a != b);
    heap_resource()->deallocate(b, 0);
    heap_resource()->deallocate(a, 0);
    CHECK(here.stack.empty());
}

TEST_CASE("a container that outgrows the heap learns it, and keeps what it had")
{
    vk::test::quiet quiet;
    running here(8);
    {
        std::pmr::vector<char> bytes(heap_resource());
        bytes.assign(page, 'x');
        std::size_t used = here.under.pages_used();
        try {
            bytes.reserve(8 * page);
            FAIL("reserved more than there is");
        } catch (const vk::heap_exhausted& e) {
            CHECK(e.pages_needed() == used + 8);
        }
        CHECK(bytes.size() == page);
        CHECK(bytes.back() == 'x');
        CHECK(here.under.pages_used() == used);
    }
    CHECK(here.under.pages_used() == 1);
}

TEST_CASE("an allocation of absurd size is refused, not a broken rule")
{
    vk::test::quiet quiet;
    running here(4);
    for (std::size_t bytes : {SIZE_MAX, SIZE_MAX - page + 1, SIZE_MAX / 2})
        CHECK_THROWS_AS(heap_resource()->allocate(bytes, 8), vk::heap_exhausted);
    CHECK(here.under.pages_used() == 1);
    CHECK(here.stack.empty());
}

TEST_CASE("there is one resource, equal to itself and to no other")
{
    CHECK(heap_resource() == heap_resource());
    CHECK(heap_resource()->is_equal(*heap_resource()));
    CHECK_FALSE(heap_resource()->is_equal(*std::pmr::new_delete_resource()));
}
