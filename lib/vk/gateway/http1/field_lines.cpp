#include "vk/gateway/http1/field_lines.hpp"

namespace vk::http {

const refusal* bad_name(const char* line, const char* stop, const char* end,
                        const bounds& limits) noexcept
{
    if (stop - line + 2 > limits.field_line_bytes)
        return &refusals::line_length;
    if (stop == end || (stop == line && *stop == '\r' && end - stop == 1))
        return &refusals::more;
    if (stop != line)
        return &refusals::name;
    return ascii::is_blank(*stop) ? &refusals::folding : &refusals::name;
}

const refusal* bad_value(const char* line, const char* stop, const char* end,
                         const bounds& limits) noexcept
{
    if (stop - line + 2 > limits.field_line_bytes)
        return &refusals::line_length;
    if (stop == end || (*stop == '\r' && end - stop == 1))
        return &refusals::more;
    return &refusals::value;
}

} // namespace vk::http
