// counted_new: the global operator new and delete, which count what a process takes.
//
// A library of its own (mnvkd-counted-new), since whose operator new a program has is the program's decision. It
// needs no call: linking it is all. kernel_options::global_bytes_max then limits each process.

#include "vk/base/memory_exhausted.hpp"
#include "vk/memory/counted_allocation.hpp"

#include <new>

namespace {

// Before main(): who makes a kernel asks whether anything counts.
[[maybe_unused]] const bool linked = vk::global_account::counting = true;

// As operator new is specified: until the new-handler gives up. But what is refused stays refused.
template <class Allocate>
void* allocate_or_throw(std::size_t bytes, Allocate&& allocate)
{
    for (;;) {
        if (void* made = allocate(bytes)) [[likely]]
            return made;
        vk::global_account* account = vk::global_account::current;
        if (account && !account->admits(bytes))
            throw vk::memory_exhausted(account->held(), bytes, account->limit());
        std::new_handler handler = std::get_new_handler();
        if (!handler)
            throw std::bad_alloc();
        handler();
    }
}

inline void* allocate(std::size_t bytes)
{
    return allocate_or_throw(bytes == 0 ? 1 : bytes, vk::counted_malloc);
}

void* allocate(std::size_t bytes, std::align_val_t alignment)
{
    auto multiple = static_cast<std::size_t>(alignment);
    std::size_t whole = (bytes == 0 ? 1 : bytes) + multiple - 1;
    if (whole < bytes)
        throw std::bad_alloc(); // more than there are addresses
    return allocate_or_throw(whole - whole % multiple, [multiple](std::size_t rounded) {
        return vk::counted_aligned_alloc(multiple, rounded);
    });
}

template <class... Alignment>
void* allocate_or_null(std::size_t bytes, Alignment... alignment) noexcept
try {
    return allocate(bytes, alignment...);
} catch (...) {
    return nullptr;
}

} // namespace

void* operator new(std::size_t bytes)
{
    return allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment)
{
    return allocate(bytes, alignment);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept
{
    return allocate_or_null(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept
{
    return allocate_or_null(bytes, alignment);
}
void* operator new[](std::size_t bytes)
{
    return allocate(bytes);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment)
{
    return allocate(bytes, alignment);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept
{
    return allocate_or_null(bytes);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept
{
    return allocate_or_null(bytes, alignment);
}
void operator delete(void* at) noexcept
{
    vk::counted_free(at);
}
void operator delete(void* at, std::size_t) noexcept
{
    vk::counted_free(at);
}
void operator delete(void* at, std::align_val_t) noexcept
{
    vk::counted_free(at);
}
void operator delete(void* at, std::size_t, std::align_val_t) noexcept
{
    vk::counted_free(at);
}
void operator delete(void* at, const std::nothrow_t&) noexcept
{
    vk::counted_free(at);
}
void operator delete(void* at, std::align_val_t, const std::nothrow_t&) noexcept
{
    vk::counted_free(at);
}
void operator delete[](void* at) noexcept
{
    vk::counted_free(at);
}
void operator delete[](void* at, std::size_t) noexcept
{
    vk::counted_free(at);
}
void operator delete[](void* at, std::align_val_t) noexcept
{
    vk::counted_free(at);
}
void operator delete[](void* at, std::size_t, std::align_val_t) noexcept
{
    vk::counted_free(at);
}
void operator delete[](void* at, const std::nothrow_t&) noexcept
{
    vk::counted_free(at);
}
void operator delete[](void* at, std::align_val_t, const std::nothrow_t&) noexcept
{
    vk::counted_free(at);
}
