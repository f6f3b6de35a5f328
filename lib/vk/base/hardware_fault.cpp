#include "vk/base/hardware_fault.hpp"

#include <csignal>
#include <cstring>

#include <dlfcn.h>

#include <fmt/format.h>

namespace vk {
namespace {

// What si_code says (sigaction(2)).
const char* meaning_of(int signal, int code) noexcept
{
    switch (signal) {
    case SIGSEGV:
        return code == SEGV_MAPERR   ? "address not mapped"
               : code == SEGV_ACCERR ? "no access"
               : code == SEGV_PKUERR ? "protection key"
                                     : "invalid address";
    case SIGBUS:
        return code == BUS_ADRALN   ? "misaligned"
               : code == BUS_ADRERR ? "no memory behind it"
                                    : "bus";
    case SIGFPE:
        return code == FPE_INTDIV ? "division by zero" : "arithmetic";
    case SIGILL:
        return "illegal instruction";
    case SIGTRAP:
        return "trap";
    default:
        return "abort";
    }
}

} // namespace

hardware_fault::hardware_fault(int signal, int code, std::uintptr_t address,
                               std::uintptr_t instruction) noexcept
    : signal_(signal), code_(code), address_(address), instruction_(instruction)
{
    char where[64];
    write_location(where, sizeof(where), instruction);
    auto end = fmt::format_to_n(text_, sizeof(text_) - 1, "{} ({}) at {:#x}, by {}",
                                signal_name(signal), meaning_of(signal, code), address, where);
    *end.out = '\0';
}

void write_location(char* to, std::size_t size, std::uintptr_t instruction) noexcept
{
    Dl_info found{};
    const char* name = nullptr;
    std::uintptr_t from = 0;
    if (dladdr(reinterpret_cast<const void*>(instruction), &found) != 0 && found.dli_fname) {
        const char* slash = std::strrchr(found.dli_fname, '/');
        name = slash ? slash + 1 : found.dli_fname;
        from = reinterpret_cast<std::uintptr_t>(found.dli_fbase);
    }
    auto end = name ? fmt::format_to_n(to, size - 1, "{}+{:#x}", name, instruction - from)
                    : fmt::format_to_n(to, size - 1, "{:#x}", instruction);
    *end.out = '\0';
}

const char* signal_name(int signal) noexcept
{
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGTRAP:
        return "SIGTRAP";
    case SIGABRT:
        return "SIGABRT";
    case SIGSYS:
        return "SIGSYS";
    default:
        return "signal";
    }
}

} // namespace vk
