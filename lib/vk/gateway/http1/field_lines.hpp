#pragma once

// field_lines: how the lines of a head are read (RFC 9112, 5), for requests and responses alike.
//
// Every step decides by the bytes up to where it stops, and by its distance from the line's begin before it
// looks at the byte there. So what is said of a message never depends on how many of its bytes were there.

#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/bounds.hpp"
#include "vk/gateway/http1/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vk::http {

inline bool is_crlf(const char* at) noexcept
{
    return ascii::load<std::uint16_t>(at) == ascii::load<std::uint16_t>("\r\n");
}

/// Why a line whose name or value was scanned to `stop` is not a field; null if it is the empty line.
[[gnu::cold]] const refusal* bad_name(const char* line, const char* stop, const char* end,
                                      const bounds& limits) noexcept;
[[gnu::cold]] const refusal* bad_value(const char* line, const char* stop, const char* end,
                                       const bounds& limits) noexcept;

/// Read field lines, and the empty line behind them: `at` is then behind it. Each is given to
/// `take(name, value)`, the value with the whitespace around it, which says if something is wrong with it.
template <typename Take>
[[gnu::always_inline]] inline const refusal*
read_field_lines(const char*& at, const char* end, const bounds& limits, Take take) noexcept
{
    const char* line = at;
    const std::ptrdiff_t text_max = std::ptrdiff_t{limits.field_line_bytes} - 2;
    for (int left = limits.fields;; --left) {
        // No whitespace before the colon (RFC 9112, 5.1), no line that continues another (5.2).
        const char* colon = ascii::skip<ascii::token>(line, end);
        if (colon == end || *colon != ':' || colon == line) [[unlikely]] {
            at = line + 2;
            return bad_name(line, colon, end, limits);
        }
        // Neither CR nor LF alone ends a line (RFC 9112, 2.2).
        const char* stop = ascii::skip<ascii::value>(colon + 1, end);
        if (stop - line > text_max || end - stop < 2 || !is_crlf(stop)) [[unlikely]]
            return bad_value(line, stop, end, limits);
        if (left == 0) [[unlikely]]
            return &refusals::field_count;
        std::string_view name(line, colon);
        std::string_view value(colon + 1, stop);
        if (const refusal* wrong = take(name, value)) [[unlikely]]
            return wrong;
        line = stop + 2;
    }
}

} // namespace vk::http
