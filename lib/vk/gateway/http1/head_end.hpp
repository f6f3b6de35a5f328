#pragma once

// head_end: when a head that arrives in parts is worth parsing again. The bytes are looked at once, however
// many parts they come in: a head is parsed when it is there, and once more to say what is wrong with it.

#include "vk/gateway/http1/bounds.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace vk::http {

class head_end {
public:
    /// Whether `bytes`, all that is there of the message, end the head or break a rule of how it ends:
    /// an empty line, a line without CR, or a bound.
    bool reached(std::string_view bytes, const bounds& limits,
                 std::uint32_t first_line_max) noexcept
    {
        while (const void* found =
                   std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_)) {
            auto at = static_cast<std::uint32_t>(static_cast<const char*>(found) - bytes.data());
            scanned_ = line_ = at + 1;
            if (at == 0 || bytes[at - 1] != '\r' || (at >= 3 && bytes[at - 2] == '\n'))
                return true;
        }
        scanned_ = static_cast<std::uint32_t>(bytes.size());
        std::uint32_t max = line_ <= 2
                                ? first_line_max
                                : limits.field_line_bytes; // behind the empty line, RFC 9112, 2.2
        return scanned_ >= limits.head_max() || scanned_ - line_ >= max;
    }

private:
    std::uint32_t scanned_ = 0;
    std::uint32_t line_ = 0; ///< where the last line begins
};

} // namespace vk::http
