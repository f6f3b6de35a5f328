#pragma once

// field_line: how one line of a head is read (RFC 9112, 5), for requests and responses alike.
//
// Every step decides by the bytes up to where it stops, and by its distance from the line's begin before it
// looks at the byte there. So what is said of a message never depends on how many of its bytes were there.

#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/fields.hpp"
#include "vk/gateway/http1/refusal.hpp"

#include <cstddef>
#include <cstdint>

namespace vk::http {

inline bool is_crlf(const char* at) noexcept
{
    return at[0] == '\r' && at[1] == '\n';
}

/// Why a line that begins at `line` and was scanned to `stop` is not taken.
[[gnu::cold]] const refusal* bad_field_line(const char* line, const char* stop, const char* end,
                                            std::uint32_t bytes_max,
                                            const refusal& otherwise) noexcept;

/// Read the field line at `at` into `out`; `at` is then behind its CRLF.
inline const refusal* read_field_line(const char*& at, const char* end, std::uint32_t bytes_max,
                                      field& out) noexcept
{
    const char* line = at;
    const char* colon = ascii::skip<ascii::token>(line, end);
    // No whitespace before the colon (RFC 9112, 5.1), no line that continues another (5.2).
    if (colon == end || *colon != ':' || colon == line) [[unlikely]]
        return bad_field_line(line, colon, end, bytes_max, refusals::name);
    const char* value = colon + 1;
    while (value != end && ascii::is_blank(*value))
        ++value;
    const char* stop = ascii::skip<ascii::value>(value, end);
    // Neither CR nor LF alone ends a line (RFC 9112, 2.2).
    if (stop - line + 2 > bytes_max || end - stop < 2 || !is_crlf(stop)) [[unlikely]]
        return bad_field_line(line, stop, end, bytes_max, refusals::value);
    const char* last = stop;
    while (last != value && ascii::is_blank(last[-1]))
        --last;
    out = {{line, colon}, {value, last}};
    at = stop + 2;
    return nullptr;
}

} // namespace vk::http
