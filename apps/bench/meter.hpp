#pragma once

// meter: how long one operation takes, measured in turn with its baseline.
//
// A topic is a question ("what does a nested call cost?") with subjects that answer it, the first
// of them the baseline. Each subject times `n` operations itself, so that what it must set up first
// is not counted.

#include "bench/machine.hpp"
#include "bench/report.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace vk::bench {

/// The compiler must have `value` ready here, and must assume that memory was looked at. What fits
/// no register goes by its address: gcc would copy it to give it to the assembler.
template <class T>
inline void keep(const T& value)
{
    if constexpr (std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*))
        asm volatile("" : : "r"(value) : "memory");
    else
        asm volatile("" : : "r"(&value) : "memory");
}

/// The compiler must assume that `value`, which fits a register, was changed here.
template <class T>
inline void disturb(T& value)
{
    asm volatile("" : "+r"(value) : : "memory");
}

/// The compiler must assume that all memory was read and written here.
inline void disturb_memory()
{
    asm volatile("" : : : "memory");
}

/// Do `n` operations; the nanoseconds they took.
using timing = std::function<std::int64_t(std::uint64_t n)>;

/// A timing of `operation(i)`, called n times.
template <class Operation>
timing each(Operation operation)
{
    return [operation](std::uint64_t n) mutable {
        const std::int64_t began = now_ns();
        for (std::uint64_t i = 0; i < n; ++i)
            operation(i);
        return now_ns() - began;
    };
}

struct subject {
    std::string name;
    timing run;
};

struct topic {
    std::string name;
    std::vector<subject> subjects; // the first is the baseline
    std::uint64_t operations = 0;  // in a round; 0: as many as fill the round's time
};

struct meter_options {
    int rounds = 9;
    double round_ms = 20;
};

/// Measure all subjects in turn, and add a row for each: nanoseconds for an operation.
void measure(const topic& question, const meter_options& options, report& into);

} // namespace vk::bench
