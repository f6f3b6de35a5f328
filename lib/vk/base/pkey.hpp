#pragma once

// pkey: the protection keys of a CPU (pkeys(7)), which say of pages what an OS thread may reach, without a call.
//
// A seam as os.hpp is, and as thin. Each page has a key, 0 if it was given no other, and each thread a word of rights,
// two bits for each key. That is a register: to write it costs some ten nanoseconds, and no page table is touched.
// A thread inherits the rights of the one that starts it. A signal handler begins with the system's default, key 0
// alone, and when it returns its thread has the rights from before.

#include "vk/base/os.hpp"

#include <cstddef>
#include <cstdint>

namespace vk::os {

/// Keys that there can be, besides key 0.
inline constexpr std::size_t pkeys_max = 15;

/// A key that no page has yet, closed to the thread that calls (pkey_alloc(2)). -ENOSPC when all are taken, and where
/// the CPU has none; -ENOSYS where the system has none.
int allocate_pkey() noexcept;

/// Give back a key that no page has any more (pkey_free(2)).
int free_pkey(int key) noexcept;

/// As protect(), and give the pages `key`: whoever accesses them needs both (pkey_mprotect(2)).
int protect(void* at, std::size_t bytes, access rights, int key) noexcept;

/// The bits of `key` in a word of rights that keep a thread from reading and writing.
constexpr std::uint32_t pkey_closed(int key) noexcept
{
    return std::uint32_t{3} << (2 * key);
}

/// What this OS thread may reach, and setting that (RDPKRU, WRPKRU). Only where allocate_pkey() has succeeded.
std::uint32_t pkey_rights() noexcept;
void set_pkey_rights(std::uint32_t rights) noexcept;

} // namespace vk::os
