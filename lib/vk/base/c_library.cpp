#include "vk/base/c_library.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>

#include <dlfcn.h>
#include <link.h>
#include <unwind.h>

namespace vk::c_library {
namespace {

// Functions that hold no lock and keep no state while they touch the caller's memory or call the caller back; and
// the ways of saying that the caller itself is broken.
constexpr const char* harmless_names[] = {
    // Those that come in variants for each processor, which share code among them.
    "memcpy", "memmove", "memset", "memcmp", "bcmp", "memchr", "memrchr", "rawmemchr", "mempcpy",
    "strlen", "strnlen", "strcmp", "strncmp", "strcpy", "strncpy", "stpcpy", "strcat", "strchr",
    "strrchr", "strchrnul", "strspn", "strcspn", "strpbrk", "strcasecmp", "strncasecmp", "wcslen",
    "wmemset", "__memcpy_chk", "__memmove_chk", "__memset_chk",
    // Others.
    "memccpy", "memmem", "strstr", "strncat", "strtol", "strtoul", "strtoll", "strtoull", "strtod",
    "atoi", "atol", "qsort", "bsearch", "abort", "raise", "__assert_fail"};
constexpr std::size_t variants = 30;

// Those that make a system call by way of another, and hold nothing.
constexpr const char* roundabout_names[] = {"nanosleep", "sleep", "usleep", "abort", "raise"};

// How far the parts of a function with variants lie apart.
constexpr std::uintptr_t shared_code_bytes = 4096;

struct range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    bool contains(std::uintptr_t at) const noexcept { return at >= begin && at < end; }
};

struct knowledge {
    std::array<range, 2> code{}; // of the C library and of the dynamic linker
    std::array<std::uintptr_t, std::size(harmless_names)> harmless{};
    std::array<std::uintptr_t, std::size(roundabout_names)> roundabout{};
};
knowledge known;

// The executable segment of the object that contains `at`, unless that is the program itself.
range code_around(const void* at) noexcept
{
    struct search {
        std::uintptr_t at;
        range found;
        bool is_program;
    } looked{reinterpret_cast<std::uintptr_t>(at), {}, true};
    dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* data) {
            auto& wanted = *static_cast<search*>(data);
            for (int i = 0; i < object->dlpi_phnum; ++i) {
                const auto& part = object->dlpi_phdr[i];
                range code{object->dlpi_addr + part.p_vaddr,
                           object->dlpi_addr + part.p_vaddr + part.p_memsz};
                if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0 ||
                    !code.contains(wanted.at))
                    continue;
                if (!wanted.is_program) // the first object is the program
                    wanted.found = code;
                return 1;
            }
            wanted.is_program = false;
            return 0;
        },
        &looked);
    return looked.found;
}

struct walk {
    std::uintptr_t fault;
    bool reached = false;
    std::uintptr_t entry = 0; // the function by which the C library was entered, as far as is known
    std::uintptr_t last = 0;  // where that was left
};

bool is_in_library(std::uintptr_t at) noexcept
{
    return std::any_of(known.code.begin(), known.code.end(),
                       [at](const range& one) { return one.contains(at); });
}

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* data)
{
    auto& done = *static_cast<walk*>(data);
    int before_instruction = 0;
    std::uintptr_t at = _Unwind_GetIPInfo(frame, &before_instruction);
    done.reached = done.reached || at == done.fault;
    if (!done.reached)
        return _URC_NO_REASON;
    if (!is_in_library(at))
        return _URC_NORMAL_STOP;
    done.entry = _Unwind_GetRegionStart(frame);
    done.last = at;
    return _URC_NO_REASON;
}

bool is_harmless(const walk& found) noexcept
{
    auto is_entry = [&](std::uintptr_t one) { return one != 0 && one == found.entry; };
    if (std::any_of(known.harmless.begin(), known.harmless.end(), is_entry))
        return true;
    if (found.last != found.fault)
        return false;
    auto is_near = [&](std::uintptr_t one) {
        return one != 0 && found.last - (one - shared_code_bytes) < 2 * shared_code_bytes;
    };
    return std::any_of(known.harmless.begin(), known.harmless.begin() + variants, is_near);
}

} // namespace

void learn() noexcept
{
    if (known.code[0].end != 0)
        return;
    for (std::size_t i = 0; i < std::size(harmless_names); ++i)
        known.harmless[i] =
            reinterpret_cast<std::uintptr_t>(dlsym(RTLD_DEFAULT, harmless_names[i]));
    for (std::size_t i = 0; i < std::size(roundabout_names); ++i)
        known.roundabout[i] =
            reinterpret_cast<std::uintptr_t>(dlsym(RTLD_DEFAULT, roundabout_names[i]));
    known.code[0] = code_around(dlsym(RTLD_DEFAULT, "fflush"));
    known.code[1] = code_around(dlsym(RTLD_DEFAULT, "__tls_get_addr"));
}

bool is_broken_by_fault(std::uintptr_t instruction) noexcept
{
    if (!is_in_library(instruction))
        return false;
    walk found{instruction};
    _Unwind_Backtrace(visit, &found);
    return !found.reached || !is_harmless(found);
}

bool is_plain_call(std::uintptr_t instruction) noexcept
{
    if (!is_in_library(instruction))
        return true;
    walk found{instruction};
    _Unwind_Backtrace(visit, &found);
    auto is_entry = [&](std::uintptr_t one) { return one != 0 && one == found.entry; };
    return found.reached &&
           (found.last == instruction ||
            std::any_of(known.roundabout.begin(), known.roundabout.end(), is_entry));
}

} // namespace vk::c_library
