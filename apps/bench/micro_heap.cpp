// What memory costs: the heap of a process, and a run of pages in it, taken, touched once and given
// back; and what it costs to count an allocation on the global heap.

#include "bench/in_process.hpp"
#include "bench/micro.hpp"

#include "vk/memory/counted_allocation.hpp"
#include "vk/memory/heap.hpp"
#include "vk/memory/heap_pool.hpp"
#include "vk/memory/mapping.hpp"

#include <cstdlib>
#include <memory>
#include <new>

#include <sys/mman.h>

namespace vk::bench {

namespace {

constexpr std::size_t heap_pages = 25;
constexpr std::size_t run_pages = 4;

void touch(void* at)
{
    if (at == nullptr)
        throw std::bad_alloc();
    *static_cast<volatile char*>(at) = 1;
    keep(at);
}

timing malloc_and_free(std::size_t pages)
{
    return each([pages](std::uint64_t) {
        void* at = std::malloc(pages * limits::page_bytes);
        touch(at);
        std::free(at);
    });
}

timing map_and_unmap(std::size_t pages)
{
    return each([pages](std::uint64_t) {
        const std::size_t bytes = pages * limits::page_bytes;
        void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        touch(at == MAP_FAILED ? nullptr : at);
        ::munmap(at, bytes);
    });
}

timing pool_take_and_give()
{
    auto pool = std::make_shared<heap_pool>(heap_pool::shape{.heap_pages = heap_pages});
    return each([pool](std::uint64_t) {
        void* at = pool->take();
        touch(at);
        pool->give(at, 1, true);
    });
}

timing heap_take_and_give()
{
    auto memory = std::make_shared<mapping>(heap_pages * limits::page_bytes);
    auto* pages = &heap::create(memory->base(), heap_pages);
    return each([memory, pages](std::uint64_t) {
        void* at = pages->take(run_pages);
        touch(at);
        pages->give(at);
    });
}

constexpr std::size_t small_bytes = 64;

// What counted_new makes of the operators, by the same calls: this program has those of the C++ library.
[[gnu::noinline]] void* counted_new(std::size_t bytes)
{
    return counted_malloc(bytes);
}

[[gnu::noinline]] void counted_delete(void* at)
{
    counted_free(at);
}

timing new_and_delete()
{
    return each([](std::uint64_t) {
        void* at = ::operator new(small_bytes);
        touch(at);
        ::operator delete(at);
    });
}

timing counted_new_and_delete()
{
    return each([](std::uint64_t) {
        void* at = counted_new(small_bytes);
        touch(at);
        counted_delete(at);
    });
}

task<> count_in_process(std::uint64_t n, std::int64_t& elapsed)
{
    elapsed = counted_new_and_delete()(n);
    co_return;
}

} // namespace

topics heap_topics()
{
    return {
        {"heap of 25 pages, take and give",
         {{"malloc", malloc_and_free(heap_pages)},
          {"vk::heap_pool", pool_take_and_give()},
          {"mmap", map_and_unmap(heap_pages)}}},
        {"run of 4 pages, take and give",
         {{"malloc", malloc_and_free(run_pages)},
          {"vk::heap", heap_take_and_give()},
          {"mmap", map_and_unmap(run_pages)}}},
        {"operator new and delete, 64 bytes",
         {{"of the C++ library", new_and_delete()},
          {"counted, no process runs", counted_new_and_delete()},
          {"counted for a process", in_process(count_in_process)}}},
    };
}

} // namespace vk::bench
