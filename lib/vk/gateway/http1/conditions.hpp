#pragma once

// conditions: what a request says of the version that it knows of a thing (RFC 9110, 13), and of the part that it
// wants (14).

#include "vk/gateway/http1/request.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace vk::http {

/// What identifies a version of a thing.
struct validators {
    std::string_view etag; // with its quotes
    std::int64_t modified; // seconds since 1970
};

/// The status that the conditions of `req` call for, evaluated in the order of RFC 9110, 13.2.2: 200 to go on, 304 or
/// 412.
int evaluate(const request& req, const validators& now) noexcept;

struct byte_range {
    std::uint64_t first;
    std::uint64_t count;
};

enum class range_outcome : std::uint8_t { whole, part, unsatisfiable };

/// What of `size` bytes `req` wants. More than one range, a malformed one, or one of another version (If-Range) is
/// taken for the whole (RFC 9110, 14.2).
range_outcome wanted_range(const request& req, const validators& now, std::uint64_t size,
                           byte_range& part) noexcept;

} // namespace vk::http
