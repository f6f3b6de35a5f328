// What memory costs: the heap of a process, and a run of pages in it, taken, touched once and given
// back.

#include "bench/micro.hpp"

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
    };
}

} // namespace vk::bench
