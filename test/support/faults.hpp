#pragma once

// faults: the ways in which code can be wrong that the machine notices.

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

// Whether a fault can be caught where it happens: gcc provides for that (-fnon-call-exceptions). With clang it can be caught
// by a caller of the function in which it happens, if at all.
#if defined(__GNUC__) && !defined(__clang__)
#define VK_FAULTS_UNWIND 1
#else
#define VK_FAULTS_UNWIND 0
#endif

// What a sanitizer must leave to the machine. (A macro since clang knows no gnu::no_sanitize.)
#define VK_FAULTY __attribute__((noinline, no_sanitize("address", "undefined")))

namespace vk::test::faults {

inline volatile int zero = 0;
inline char* volatile nowhere = nullptr;

VK_FAULTY inline int read_null()
{
    return *nowhere;
}

VK_FAULTY inline int write_null()
{
    *nowhere = 1;
    return 0;
}

VK_FAULTY inline int divide_by_zero()
{
    return 1 / zero;
}

VK_FAULTY inline int run_no_instruction()
{
    __builtin_trap();
}

VK_FAULTY inline int run_a_trap()
{
    asm volatile("int3");
    return 0;
}

VK_FAULTY inline int call_null()
{
    auto function = reinterpret_cast<int (*)()>(nowhere);
    return function() + 1;
}

VK_FAULTY inline int overflow_stack(volatile char* above)
{
    volatile char room[4096];
    room[0] = above ? above[0] : '\0';
    return zero ? 0 : overflow_stack(room) + room[0];
}

VK_FAULTY inline int overflow()
{
    return overflow_stack(nullptr);
}

VK_FAULTY inline int copy_from_nowhere()
{
    char room[64];
    std::memcpy(room, nowhere + 16, sizeof(room));
    return room[zero];
}

[[gnu::noinline]] inline int abort_it()
{
    std::abort();
}

[[gnu::noinline]] inline int fault_where_nothing_gets_out() noexcept
{
    return read_null();
}

[[gnu::noinline]] inline void throw_it()
{
    throw std::runtime_error("kept in");
}

[[gnu::noinline]] inline int throw_where_nothing_gets_out() noexcept
{
    throw_it();
    return 0;
}

// Whether it can be caught in the thread, where the compiler provides for that at all.
enum class fate { caught, dropped, either };

struct kind {
    const char* name;
    int (*commit)();
    int signal; // 0: an exception of another type
    fate expected;
};

inline constexpr kind kinds[] = {
    {"a read of address 0", read_null, SIGSEGV, fate::caught},
    {"a write to address 0", write_null, SIGSEGV, fate::caught},
    {"a division by zero", divide_by_zero, SIGFPE, fate::caught},
    {"an illegal instruction", run_no_instruction, SIGILL, fate::caught},
    {"a trap", run_a_trap, SIGTRAP, fate::caught},
    {"a call of address 0", call_null, SIGSEGV, fate::caught},
    {"an overflow of the stack", overflow, SIGSEGV, fate::caught},
    {"a bad pointer in memcpy", copy_from_nowhere, SIGSEGV, fate::either},
    {"abort", abort_it, SIGABRT, fate::dropped},
    {"a fault in a noexcept function", fault_where_nothing_gets_out, SIGSEGV, fate::dropped},
    {"an exception in a noexcept function", throw_where_nothing_gets_out, 0, fate::dropped},
};

} // namespace vk::test::faults
