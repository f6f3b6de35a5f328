#include "support/sim/world.hpp"

// The calls of a world that concern memory: real mappings, counted, and failing when asked to.

#include <cerrno>

#include <sys/mman.h>

#include "support/sim/memory.hpp"

namespace vk::sim {

void* world::map(call what, std::size_t bytes, bool accessible, int& error)
{
    void* at = nullptr;
    const std::int64_t result = perform(what, -1, [&]() -> std::int64_t {
        if (bytes > options_.mapped_bytes_max ||
            memory_books::get().bytes() > options_.mapped_bytes_max - bytes)
            return -ENOMEM;
        const int sharing = what == call::map_shared ? MAP_SHARED : MAP_PRIVATE;
        at = ::mmap(nullptr, bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE,
                    sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return at = nullptr, -errno;
        memory_books::get().add(at, bytes);
        return 0;
    });
    error = static_cast<int>(-result);
    return at;
}

std::int64_t world::unmap(void* at, std::size_t bytes)
{
    return perform(call::unmap, -1, [&]() -> std::int64_t {
        if (!memory_books::get().remove(at, bytes))
            complain("unmaps what is not mapped");
        return ::munmap(at, bytes) == 0 ? 0 : -errno;
    });
}

std::int64_t world::protect(void* at, std::size_t bytes, bool accessible)
{
    return perform(accessible ? call::unmask : call::mask, -1, [&]() -> std::int64_t {
        if (!memory_books::get().holds(at, bytes))
            complain("protects what is not mapped");
        const int rights = accessible ? PROT_READ | PROT_WRITE : PROT_NONE;
        return ::mprotect(at, bytes, rights) == 0 ? 0 : -errno;
    });
}

/// Only giving pages back has an effect that a program can see.
std::int64_t world::advise(call what, void* at, std::size_t bytes)
{
    return perform(what, -1, [&]() -> std::int64_t {
        if (!memory_books::get().holds(at, bytes))
            complain("advises on what is not mapped");
        if (what != call::discard)
            return 0;
        return ::madvise(at, bytes, MADV_DONTNEED) == 0 ? 0 : -errno;
    });
}

} // namespace vk::sim
