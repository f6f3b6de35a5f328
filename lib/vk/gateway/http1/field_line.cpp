#include "vk/gateway/http1/field_line.hpp"

namespace vk::http {

const refusal* bad_field_line(const char* line, const char* stop, const char* end,
                              std::uint32_t bytes_max, const refusal& otherwise) noexcept
{
    if (stop - line + 2 > bytes_max)
        return &refusals::line_length;
    if (stop == end ||
        (end - stop == 1 && *stop == '\r' && (stop == line || &otherwise == &refusals::value)))
        return &refusals::more;
    if (stop == line && ascii::is_blank(*stop))
        return &refusals::folding;
    return &otherwise;
}

} // namespace vk::http
