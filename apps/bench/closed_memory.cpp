#include "bench/closed_memory.hpp"

#include "bench/machine.hpp"
#include "bench/sample.hpp"

#include "vk/base/limits.hpp"

#include <new>
#include <vector>

#include <sys/mman.h>

namespace vk::bench {

namespace {

constexpr std::size_t bytes = 64 * limits::page_bytes;
constexpr int spans = 9;
constexpr int pairs_each = 200;

} // namespace

closed_memory::closed_memory(std::size_t touched)
{
    void* got = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        throw std::bad_alloc();
    at_ = static_cast<char*>(got);
    write(touched);
    close();
}

closed_memory::~closed_memory()
{
    ::munmap(at_, bytes);
}

void closed_memory::open() noexcept
{
    ::mprotect(at_, bytes, PROT_READ | PROT_WRITE);
}

void closed_memory::close() noexcept
{
    ::mprotect(at_, bytes, PROT_NONE);
}

void closed_memory::write(std::size_t pages) noexcept
{
    for (std::size_t i = 0; i < pages; ++i)
        static_cast<volatile char*>(at_)[i * limits::page_bytes] = 1;
}

double mask_pair_ns()
{
    closed_memory heap(1);
    std::vector<double> each;
    for (int i = 0; i < spans; ++i) {
        const std::int64_t began = now_ns();
        for (int n = 0; n < pairs_each; ++n) {
            heap.open();
            heap.write(1);
            heap.close();
        }
        each.push_back(static_cast<double>(now_ns() - began) / pairs_each);
    }
    return median(each);
}

} // namespace vk::bench
