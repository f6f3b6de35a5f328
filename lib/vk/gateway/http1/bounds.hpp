#pragma once

// bounds: how much a peer may send before it is refused. The defaults are nginx's where it has one.

#include <algorithm>
#include <cstdint>

namespace vk::http {

/// Offsets into a head have 16 bits, so that no head is longer.
inline constexpr std::uint32_t head_bytes_max = 65535;

struct bounds {
    std::uint32_t request_line_bytes = 8192; ///< with its CRLF; not below 14, the least there is
    std::uint32_t field_line_bytes = 8192;   ///< with its CRLF
    std::uint32_t head_bytes = 32768; ///< all of a head; more than head_bytes_max is head_bytes_max
    std::uint16_t fields = 100;
    std::uint64_t body_bytes = 1024 * 1024;
    std::uint32_t chunk_line_bytes = 1024; ///< a chunk's size and extensions, with their CRLF
    std::uint32_t trailer_bytes =
        8192; ///< all trailer fields of a chunked body, with the empty line

    constexpr std::uint32_t head_max() const noexcept
    {
        return std::min(head_bytes, head_bytes_max);
    }
};

} // namespace vk::http
