#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/heap_array.hpp>
#include <vk/proc/process.hpp>
#include <vk/proc/run_local.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>

using vk::make_array;
using vk::process;
using vk::run_local;
using vk::task;

TEST_CASE("an array is whole pages from the start of one, zero, and given back with its scope")
{
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        {
            auto bytes = make_array<char>(vk::limits::page_bytes + 1);
            CHECK(heap.pages_used() == before + 2);
            CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % vk::limits::page_bytes == 0);
            CHECK(bytes.size() == vk::limits::page_bytes + 1);
            int sum = 0;
            for (char each : bytes)
                sum += each;
            CHECK(sum == 0);
            auto none = make_array<int>(0);
            CHECK(none.size() == 0);
            CHECK(none.begin() == none.end());
        }
        CHECK(heap.pages_used() == before);
        co_return;
    });
}

TEST_CASE("an array that the heap has no room for is refused, and says what would have been needed")
{
    vk::test::quiet quiet;
    run_local({.heap_pages = 16}, []() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        std::size_t needed = 0;
        try {
            auto much = make_array<char>(16 * vk::limits::page_bytes);
            CHECK(much.size() == 0);
        } catch (const vk::heap_exhausted& e) {
            needed = e.pages_needed();
        }
        CHECK(needed == before + 16);
        CHECK(heap.pages_used() == before);
        co_return;
    });
}

TEST_CASE("elements are made and ended, once each, wherever the array is moved to")
{
    struct counted {
        counted()
        {
            if (++made() == 8)
                throw std::runtime_error("no more");
            ++live();
        }
        counted(const counted&) = delete;
        counted& operator=(const counted&) = delete;
        ~counted() { --live(); }
        static int& made()
        {
            static int count = 0;
            return count;
        }
        static int& live()
        {
            static int count = 0;
            return count;
        }
    };
    run_local([]() -> task<> {
        vk::heap& heap = process::current().heap();
        std::size_t before = heap.pages_used();
        {
            auto some = make_array<counted>(5);
            vk::heap_array<counted> moved = std::move(some);
            CHECK(moved.size() == 5);
            CHECK(counted::live() == 5);
        }
        CHECK(counted::live() == 0);
        CHECK_THROWS_AS(make_array<counted>(5), std::runtime_error); // the third of these
        CHECK(counted::live() == 0);
        CHECK(heap.pages_used() == before);
        co_return;
    });
}
