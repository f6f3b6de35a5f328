#pragma once

// counted_allocation: malloc and free, entered in the account of the process that runs.
//
// What counted_new makes the global operator new of; also for the allocator hooks of a library in C. Where no
// process runs nothing is counted, which costs a thread-local load and a branch. A fault in here leaves the allocator
// unfit for use (critical.hpp).

#include "vk/base/critical.hpp"
#include "vk/base/global_account.hpp"

#include <cstddef>
#include <cstdlib>

#include <malloc.h>

namespace vk {
namespace detail {

// `allocate()`, which returns what malloc does, on the account of who runs.
template <class Allocate>
void* count_in(std::size_t bytes, Allocate&& allocate) noexcept
{
    global_account* account = global_account::current;
    if (account && !account->admits(bytes)) [[unlikely]] {
        account->refuse(bytes);
        return nullptr;
    }
    critical inside;
    void* made = allocate();
    if (account && made)
        account->add(malloc_usable_size(made));
    return made;
}

} // namespace detail

/// As malloc(3); null also when the process that runs may have no more, which its account counts and the log
/// says. Given back with counted_free().
inline void* counted_malloc(std::size_t bytes) noexcept
{
    return detail::count_in(bytes, [bytes] { return std::malloc(bytes); });
}

/// As aligned_alloc(3): `bytes` is a multiple of `alignment`, a power of two.
inline void* counted_aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept
{
    return detail::count_in(bytes, [=] { return std::aligned_alloc(alignment, bytes); });
}

/// Free what either of them returned, or null, on the account of who runs now.
inline void counted_free(void* at) noexcept
{
    if (!at)
        return;
    critical inside;
    if (global_account* account = global_account::current)
        account->subtract(malloc_usable_size(at));
    std::free(at);
}

} // namespace vk
