#pragma once

// bounds: how much a peer may send before it is refused. The defaults are nginx's where it has one.

#include <algorithm>
#include <cstdint>

namespace vk::http {

/// Offsets into a head have 16 bits, so that no head is longer.
inline constexpr std::uint32_t head_bytes_max = 65535;

struct bounds {
    /// A line of a head, with its CRLF. The least request line there is has 14.
    std::uint32_t request_line_bytes = 8192;
    std::uint32_t field_line_bytes = 8192;
    /// A head, with the empty lines around it; head_bytes_max at most.
    std::uint32_t head_bytes = 32768;
    std::uint16_t fields = 100;
    std::uint64_t body_bytes = 1024 * 1024;
    /// A chunk's size and extensions, with their CRLF.
    std::uint32_t chunk_line_bytes = 1024;
    /// All trailer fields of a chunked body, with the empty line at their end.
    std::uint32_t trailer_bytes = 8192;

    constexpr std::uint32_t head_max() const noexcept
    {
        return std::min(head_bytes, head_bytes_max);
    }
};

} // namespace vk::http
