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

namespace vk::http {

inline bool is_crlf(const char* at) noexcept
{
    return ascii::load<std::uint16_t>(at) == ascii::load<std::uint16_t>("\r\n");
}

/// Why a line whose name or value was scanned to `stop` is not a field.
[[gnu::cold]] const refusal* bad_name(const char* line, const char* stop, const char* end,
                                      const bounds& limits) noexcept;
[[gnu::cold]] const refusal* bad_value(const char* line, const char* stop, const char* end,
                                       const bounds& limits) noexcept;

/// Read field lines, and the empty line behind them: `at` is then behind it. `take(name, colon, stop)` is told
/// where each name begins, its colon is and its value stops, and says if something is wrong with it: that the
/// name is empty, to begin with.
template <typename Take>
[[gnu::always_inline]] inline const refusal*
read_field_lines(const char*& at, const char* end, const bounds& limits, Take take) noexcept
{
    const char* line = at;
    const char* last = end - 1;
    const std::ptrdiff_t text_max = std::ptrdiff_t{limits.field_line_bytes} - 2;
    const bool may_be_long = end - line > text_max;
    for (int left = limits.fields;;) {
        // No whitespace before the colon (RFC 9112, 5.1), no line that continues another (5.2).
        const char* colon = ascii::leap<ascii::token>(line, end);
        if (colon == end || *colon != ':') [[unlikely]] {
            if (line < last && is_crlf(line)) [[likely]]
                break;
            colon = ascii::skip<ascii::token>(colon, end);
            if (colon == end || *colon != ':')
                return bad_name(line, colon, end, limits);
        }
        // Neither CR nor LF alone ends a line (RFC 9112, 2.2).
        const char* stop = ascii::leap<ascii::value>(colon + 1, end);
        if (stop >= last || !is_crlf(stop)) [[unlikely]] {
            stop = ascii::skip<ascii::value>(stop, end);
            if (stop >= last || !is_crlf(stop))
                return bad_value(line, stop, end, limits);
        }
        if (may_be_long && stop - line > text_max) [[unlikely]]
            return bad_value(line, stop, end, limits);
        if (--left < 0) [[unlikely]]
            return &refusals::field_count;
        if (const refusal* wrong = take(line, colon, stop)) [[unlikely]]
            return wrong;
        line = stop + 2;
    }
    at = line + 2;
    return nullptr;
}

} // namespace vk::http
