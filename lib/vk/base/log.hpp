#pragma once

// log: lines for people, on stderr, each prefixed with what was running when it was written.
//
// spdlog stands behind log.cpp and nowhere else. Formatting is fmt's, checked when compiled. The level is
// that of the environment's VK_LOG (trace, debug, info, warn, error, off), info by default; debug lines are
// compiled out of release builds.
//
// A line that is written while a process runs is not on its account, and so not refused.

#include "vk/base/global_account.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace vk::log {

enum class level { debug, info, warn, error };

/// Whether lines of `of` are written.
bool enabled(level of) noexcept;

/// Drop lines below `least`.
void set_level(level least) noexcept;

/// Write one line. A failure to write is swallowed: a log must not end what it reports on.
void write(level of, std::string_view text) noexcept;

/// Who fills the prefix: appends to `out` what is running ("process 7 thread 1"), or nothing. The layer that
/// knows installs it.
using describer = void (*)(std::string& out);
void set_describer(describer who) noexcept;

template <class... Args>
void print(level of, fmt::format_string<Args...> text, Args&&... args)
{
    if (!enabled(of))
        return;
    global_account::uncounted here;
    write(of, fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
void debug([[maybe_unused]] fmt::format_string<Args...> text, [[maybe_unused]] Args&&... args)
{
#ifndef NDEBUG
    print(level::debug, text, std::forward<Args>(args)...);
#endif
}

template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args)
{
    print(level::info, text, std::forward<Args>(args)...);
}

template <class... Args>
void warn(fmt::format_string<Args...> text, Args&&... args)
{
    print(level::warn, text, std::forward<Args>(args)...);
}

template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args)
{
    print(level::error, text, std::forward<Args>(args)...);
}

} // namespace vk::log
