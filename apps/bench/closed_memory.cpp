#include "bench/closed_memory.hpp"

#include "bench/machine.hpp"
#include "bench/sample.hpp"

#include "vk/base/limits.hpp"

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr std::size_t bytes = 64 * limits::page_bytes;
constexpr int spans = 9;
constexpr int rounds_each = 5;

} // namespace

closed_memory::closed_memory(std::size_t touched)
{
    void* got = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        throw std::bad_alloc();
    at_ = static_cast<char*>(got);
    write(touched);
    ::mprotect(at_, bytes, PROT_NONE);
}

closed_memory::~closed_memory()
{
    ::munmap(at_, bytes);
}

void closed_memory::use(std::size_t pages) noexcept
{
    ::mprotect(at_, bytes, PROT_READ | PROT_WRITE);
    write(pages);
    ::mprotect(at_, bytes, PROT_NONE);
}

void closed_memory::write(std::size_t pages) noexcept
{
    for (std::size_t i = 0; i < pages; ++i)
        static_cast<volatile char*>(at_)[i * limits::page_bytes] = 1;
}

namespace {

double measure(int connections)
{
    std::vector<std::unique_ptr<closed_memory>> heaps;
    for (int i = 0; i < connections; ++i)
        heaps.push_back(std::make_unique<closed_memory>(1));
    std::vector<double> each;
    for (int i = 0; i < spans; ++i) {
        const std::int64_t began = now_ns();
        for (int n = 0; n < rounds_each; ++n)
            for (auto& heap : heaps)
                heap->use(1);
        each.push_back(static_cast<double>(now_ns() - began) / rounds_each / connections);
    }
    return median(each);
}

// In a process of its own, which leaves by no exception: that would go on as its parent.
[[noreturn]] void measure_and_exit(int core, int connections, int to)
{
    int status = 1;
    try {
        pin(core);
        const double found = measure(connections);
        status = ::write(to, &found, sizeof found) == sizeof found ? 0 : 1;
    } catch (...) {
    }
    ::_exit(status);
}

} // namespace

double mask_pair_ns(int core, int connections)
{
    int ends[2];
    if (::pipe(ends) < 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    const pid_t child = ::fork();
    if (child == 0)
        measure_and_exit(core, connections, ends[1]);
    ::close(ends[1]);
    int status = -1;
    if (child > 0)
        while (::waitpid(child, &status, WNOHANG) == 0) {} // busy
    double found = 0;
    const bool came = ::read(ends[0], &found, sizeof found) == sizeof found;
    ::close(ends[0]);
    if (!came || status != 0)
        throw std::system_error(ECHILD, std::generic_category(), "the process that masks");
    return found;
}

} // namespace vk::bench
