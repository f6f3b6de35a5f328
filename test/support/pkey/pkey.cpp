#include <vk/base/pkey.hpp>

// Protection keys where the CPU has none, linked in place of base/pkey.cpp: what a word of rights closes is closed by
// mprotect(2). What it does not show: that a signal handler begins without rights, and that they are a thread's own.

#include <array>
#include <cerrno>
#include <cstdint>
#include <map>

#include <sys/mman.h>

extern "C" const bool vk_keys_are_a_stand_in = true;

namespace vk::os {
namespace {

struct range {
    std::size_t bytes;
    int key;
};

struct state {
    std::uint32_t rights = 0x5555'5554; // as the system begins: key 0 alone
    std::array<bool, pkeys_max + 1> taken{true};
    std::map<void*, range> ranges; // those with a key, and with rights but for that
};

state& here()
{
    static state one;
    return one;
}

bool is_open(std::uint32_t rights, int key)
{
    return (rights & pkey_closed(key)) == 0;
}

int set_protection(void* at, std::size_t bytes, bool open)
{
    return ::mprotect(at, bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE) == 0 ? 0 : -errno;
}

} // namespace

int allocate_pkey() noexcept
{
    for (std::size_t key = 1; key <= pkeys_max; ++key) {
        if (here().taken[key])
            continue;
        here().taken[key] = true;
        set_pkey_rights(pkey_rights() | pkey_closed(static_cast<int>(key)));
        return static_cast<int>(key);
    }
    return -ENOSPC;
}

int free_pkey(int key) noexcept
{
    if (key <= 0 || !here().taken[static_cast<std::size_t>(key)])
        return -EINVAL;
    here().taken[static_cast<std::size_t>(key)] = false;
    return 0;
}

int protect(void* at, std::size_t bytes, access rights, int key) noexcept
{
    if (key < 0 || !here().taken[static_cast<std::size_t>(key)])
        return -EINVAL;
    bool open = rights != access::none;
    if (open && key > 0)
        here().ranges[at] = {bytes, key};
    else
        here().ranges.erase(at);
    return set_protection(at, bytes, open && is_open(here().rights, key));
}

std::uint32_t pkey_rights() noexcept
{
    return here().rights;
}

void set_pkey_rights(std::uint32_t rights) noexcept
{
    std::uint32_t before = here().rights;
    here().rights = rights;
    for (const auto& [at, one] : here().ranges)
        if (is_open(before, one.key) != is_open(rights, one.key))
            (void)set_protection(at, one.bytes, is_open(rights, one.key));
}

} // namespace vk::os
