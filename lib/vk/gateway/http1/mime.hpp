#pragma once

// mime: the media type of a file, by the ending of its name.

#include <string_view>

namespace vk::http {

/// As registered by IANA; application/octet-stream for what is not known.
std::string_view media_type_of(std::string_view path) noexcept;

} // namespace vk::http
