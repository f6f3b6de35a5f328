#pragma once

// error: what the library throws.
//
// What the direct caller handles is a value: a short count, an empty optional. What it cannot is one of
// these, all derived from std::system_error, so that `catch (const std::system_error& e)` and
// `e.code() == std::errc::connection_reset` work as everywhere else. (memory_exhausted is a std::bad_alloc.)
//
// Their texts lie on the global heap. They are counted there, but not refused to a process that has all it may
// have: it would learn of its connection that memory is short.

#include "vk/base/global_account.hpp"

#include <cstddef>
#include <exception>
#include <string>
#include <system_error>

namespace vk {

class error : public std::system_error {
public:
    /// `number` is a positive errno; `what` names the operation.
    error(int number, const char* what) : error(number, what, global_account::unrefused()) {}

private:
    error(int number, const char* what, const global_account::unrefused&)
        : std::system_error(number, std::generic_category(), what)
    {
    }
};

/// A blocking operation ended because its deadline passed (ETIMEDOUT).
class timed_out : public error {
public:
    explicit timed_out(const char* what);
};

/// A blocking operation ended because its thread was cancelled (ECANCELED).
class cancelled : public error {
public:
    explicit cancelled(const char* what);
};

/// A heap has no room for what was asked (ENOMEM).
class heap_exhausted : public error {
public:
    heap_exhausted(std::size_t pages_needed, std::size_t pages);

    /// Pages that the heap would have needed for the allocation to succeed.
    std::size_t pages_needed() const noexcept { return pages_needed_; }

private:
    std::size_t pages_needed_;
};

/// Throw error(`number`, `what`).
[[noreturn, gnu::cold]] void raise(int number, const char* what);

/// Throw std::system_error of `code` in the thread that calls.
[[noreturn, gnu::cold]] void raise(std::errc code, const char* what = "raised");

/// In a catch block: throw error(`code`, `what`), with what is handled there as its cause (std::nested_exception). What
/// it says is the context in which that came to be.
[[noreturn, gnu::cold]] void raise_nested(std::errc code, const char* what);

/// What `e` says, and then each of its causes: "load user 7: Input/output error: read: Connection reset by peer".
std::string describe(const std::exception& e);

} // namespace vk
