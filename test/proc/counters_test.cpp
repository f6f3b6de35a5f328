#include "support/catch.hpp"

#include <vk/proc/counters.hpp>

#include <set>
#include <string>

using vk::counters;

TEST_CASE("every counter is visited, once, by a name of its own")
{
    counters all;
    std::size_t visited = 0;
    std::set<std::string> names;
    counters::for_each(all, [&](const char* name, std::uint64_t& value) {
        CHECK(value == 0);
        value = ++visited;
        names.insert(name);
    });
    CHECK(visited == sizeof(counters) / sizeof(std::uint64_t));
    CHECK(names.size() == visited);

    // By the value that belongs to the name.
    const counters& made = all;
    std::size_t expected = 0;
    counters::for_each(made, [&](const char*, std::uint64_t value) { CHECK(value == ++expected); });
    CHECK(all.dispatches == 1);
    CHECK(all.global_bytes_high_water == visited);
}

TEST_CASE("the counters of two kernels add up, but for the high-water marks")
{
    counters a;
    counters b;
    a.reads = 3;
    b.reads = 4;
    b.faults = 1;
    a.heap_pages_high_water = 9;
    b.heap_pages_high_water = 5;
    a.global_bytes_high_water = 3;
    b.global_bytes_high_water = 8;
    a += b;
    CHECK(a.reads == 7);
    CHECK(a.faults == 1);
    CHECK(a.writes == 0);
    CHECK(a.heap_pages_high_water == 9);
    CHECK(a.global_bytes_high_water == 8);
    b += a;
    CHECK(b.reads == 11);
    CHECK(b.heap_pages_high_water == 9);
}
