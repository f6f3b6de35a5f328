#include "vk/base/pkey.hpp"

#include "vk/base/gate.hpp"

#include <cerrno>

#if defined(__linux__) && defined(__x86_64__)
#include <sys/mman.h>
#endif

namespace vk::os {

#if defined(__linux__) && defined(__x86_64__)

namespace {

int result(int returned) noexcept
{
    return returned < 0 ? -errno : returned;
}

} // namespace

int allocate_pkey() noexcept
{
    gate::pass through;
    return result(::pkey_alloc(0, PKEY_DISABLE_ACCESS));
}

int free_pkey(int key) noexcept
{
    gate::pass through;
    return result(::pkey_free(key));
}

int protect(void* at, std::size_t bytes, access rights, int key) noexcept
{
    gate::pass through;
    int wanted = rights == access::none ? PROT_NONE : PROT_READ | PROT_WRITE;
    return result(::pkey_mprotect(at, bytes, wanted, key));
}

std::uint32_t pkey_rights() noexcept
{
    std::uint32_t rights;
    std::uint32_t zero;
    __asm__ volatile("rdpkru" : "=a"(rights), "=d"(zero) : "c"(0));
    return rights;
}

// What was written before, and is read after, must not be moved across.
void set_pkey_rights(std::uint32_t rights) noexcept
{
    __asm__ volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory");
}

#else

int allocate_pkey() noexcept
{
    return -ENOSYS;
}
int free_pkey(int) noexcept
{
    return -ENOSYS;
}
int protect(void*, std::size_t, access, int) noexcept
{
    return -ENOSYS;
}
std::uint32_t pkey_rights() noexcept
{
    return 0;
}
void set_pkey_rights(std::uint32_t) noexcept {}

#endif

} // namespace vk::os
