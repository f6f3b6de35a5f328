#include "support/allocations.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> made{0};
std::atomic<std::size_t> freed{0};

void* allocate(std::size_t bytes, std::size_t alignment) noexcept
{
    made.fetch_add(1, std::memory_order_relaxed);
    bytes = bytes == 0 ? 1 : bytes;
    if (alignment <= alignof(std::max_align_t))
        return std::malloc(bytes);
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment)
{
    if (void* at = allocate(bytes, alignment))
        return at;
    throw std::bad_alloc();
}

void release(void* at) noexcept
{
    if (at)
        freed.fetch_add(1, std::memory_order_relaxed);
    std::free(at);
}

} // namespace

namespace vk::test {

allocations allocations_now() noexcept
{
    return {made.load(std::memory_order_relaxed), freed.load(std::memory_order_relaxed)};
}

} // namespace vk::test

// Every form, since the tools that check memory bring their own array forms, and must not pair with ours.
void* operator new(std::size_t bytes)
{
    return allocate_or_throw(bytes, 0);
}
void* operator new(std::size_t bytes, std::align_val_t alignment)
{
    return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept
{
    return allocate(bytes, 0);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept
{
    return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes)
{
    return allocate_or_throw(bytes, 0);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment)
{
    return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept
{
    return allocate(bytes, 0);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept
{
    return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* at) noexcept
{
    release(at);
}
void operator delete(void* at, std::size_t) noexcept
{
    release(at);
}
void operator delete(void* at, std::align_val_t) noexcept
{
    release(at);
}
void operator delete(void* at, std::size_t, std::align_val_t) noexcept
{
    release(at);
}
void operator delete[](void* at) noexcept
{
    release(at);
}
void operator delete[](void* at, std::size_t) noexcept
{
    release(at);
}
void operator delete[](void* at, std::align_val_t) noexcept
{
    release(at);
}
void operator delete[](void* at, std::size_t, std::align_val_t) noexcept
{
    release(at);
}
