#pragma once

// error_handler: answers an error where it is raised, before anything is unwound.
//
// An exception leaves what raised it: a catch block can begin again, but not go on from there. Where what raises can go
// on, once something was put right, it asks the handlers first (raise_resumable); one that answers *resume* has put it
// right. So a loop that appends records goes on when who called it has made room, and has kept all of its state.
//
// Handlers nest: the innermost is asked first, and one that declines leaves the error to those around it. What a handler
// raises itself goes to those around it, too. If none resumes the error is thrown.

#include "vk/base/error.hpp"
#include "vk/coroutine/task.hpp"

#include <cstdint>
#include <system_error>
#include <type_traits>
#include <utility>

namespace vk {

enum class answer : std::uint8_t {
    decline, // leave it to the handlers around
    resume,  // what raised it may go on
};

class error_handler {
public:
    error_handler(const error_handler&) = delete;
    error_handler& operator=(const error_handler&) = delete;

protected:
    error_handler() noexcept;
    virtual ~error_handler();

private:
    friend task<> raise_resumable(std::errc code, const char* what);

    virtual task<answer> handle(const error& why) = 0;

    error_handler* outer_;
};

/// From where it is made on until it goes, `handle(const error&)` is asked of what its thread raises; it returns an
/// answer, or a task<answer>, which may block. Handlers of a thread go in the opposite order of that in which they were
/// made.
template <class Handle>
class [[nodiscard("it handles nothing once it is gone")]] on_error final : error_handler {
    static constexpr bool at_once = std::is_invocable_r_v<answer, Handle&, const error&>;
    static_assert(at_once || std::is_invocable_r_v<task<answer>, Handle&, const error&>,
                  "a handler takes a vk::error and returns an answer or a task<answer>");

public:
    explicit on_error(Handle handle) : handle_(std::move(handle)) {}

private:
    task<answer> handle(const error& why) override
    {
        if constexpr (at_once) {
            co_return handle_(why);
        } else {
            task<answer> handling = handle_(why);
            co_return co_await std::move(handling);
        }
    }

    Handle handle_;
};

/// Ask the handlers of the thread that runs about error(`code`, `what`), the innermost first. Returns when one of them
/// answers *resume*; throws the error when none does, and what a handler throws. Suspends where a handler does.
task<> raise_resumable(std::errc code, const char* what = "raised");

} // namespace vk
