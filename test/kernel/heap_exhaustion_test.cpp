#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/program.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/heap_resource.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory_resource>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vk::process;
using vk::task;
using vk::test::fd_program;
using vk::test::in_child;
using vk::test::kernel_here;

// A process that takes all of its heap and more, between neighbours that have filled theirs.

namespace {

constexpr std::size_t page = vk::limits::page_bytes;
constexpr std::size_t heap_pages = 16;

struct seen {
    int full = 0;           // neighbours that have filled their heaps
    std::size_t intact = 0; // bytes of the neighbours that are what they were
    std::size_t altered = 0;
    std::size_t pages_needed = 0;
    std::size_t pages_had = 0;
    std::size_t went_on = 0;
};

std::byte mark(std::uint64_t id, std::size_t at)
{
    return static_cast<std::byte>(id * 31 + at * 7);
}

// Fills its heap to the last page, and looks at each byte when the one in the middle has had its turn.
task<> keep(int, seen& by)
{
    process& self = process::current();
    std::size_t bytes = (heap_pages - self.heap().pages_used()) * page;
    std::pmr::vector<std::byte> all(bytes, vk::heap_resource());
    for (std::size_t at = 0; at < bytes; ++at)
        all[at] = mark(self.id(), at);
    ++by.full;
    while (by.pages_had < heap_pages)
        co_await vk::sleep_for(1ms);
    for (std::size_t at = 0; at < bytes; ++at)
        ++(all[at] == mark(self.id(), at) ? by.intact : by.altered);
}

// Takes pages without end, and writes on each.
void devour(seen& by)
{
    vk::heap& own = process::current().heap();
    for (;;) {
        by.pages_had = own.pages_used();
        std::memset(own.take(1), 0xff, page);
    }
}

task<> devour_and_go_on(int, seen& by)
{
    while (by.full < 2)
        co_await vk::sleep_for(1ms);
    try {
        devour(by);
    } catch (const vk::heap_exhausted& e) {
        if (e.code() == std::errc::not_enough_memory)
            by.pages_needed = e.pages_needed();
    }
    co_await vk::sleep_for(1ms);
    ++by.went_on;
}

task<> devour_and_fail(int, seen& by)
{
    while (by.full < 2)
        co_await vk::sleep_for(1ms);
    devour(by);
}

vk::kernel_options options_here()
{
    vk::kernel_options made = vk::test::kernel_options_here();
    made.heap_pages = heap_pages;
    return made;
}

// The heap of the one in the middle lies between those of the others.
void run_between_neighbours(vk::kernel& here, task<> (*what)(int, seen&), seen& by)
{
    fd_program<seen> keeping(keep, by);
    fd_program<seen> devouring(what, by);
    bool started = here.start(keeping) && here.start(devouring) && here.start(keeping);
    if (!started)
        throw std::runtime_error("start");
    here.run();
}

} // namespace

TEST_CASE("a process that exhausts its heap learns how many pages it needs, goes on, and its "
          "neighbours lose no byte")
{
    vk::test::quiet quiet;
    seen by;
    kernel_here here(options_here());
    run_between_neighbours(*here, devour_and_go_on, by);
    CHECK(by.pages_had == heap_pages);
    CHECK(by.pages_needed == heap_pages + 1);
    CHECK(by.went_on == 1);
    CHECK(by.intact > 2 * (heap_pages - 4) * page);
    CHECK(by.altered == 0);
    CHECK(here->count().processes_failed == 0);
}

TEST_CASE("a process that exhausts its heap and is not ready for that ends alone, and the log says "
          "the pages")
{
    auto ended = in_child([] {
        seen by;
        vk::kernel::pointer here = vk::kernel::make(options_here());
        run_between_neighbours(*here, devour_and_fail, by);
        bool good = here->count().processes_failed == 1 && here->count().processes_ended == 3 &&
                    by.altered == 0 && by.intact > 2 * (heap_pages - 4) * page;
        return good ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring(
                               "process 2 thread 1: heap of 16 pages exhausted: 17 pages needed"));
    CHECK_THAT(ended.said,
               ContainsSubstring("process 2 thread 1: ended by heap of 16 pages exhausted"));
}
