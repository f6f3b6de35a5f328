#pragma once

// uri: percent-encoding (RFC 3986, 2.1).

#include <optional>
#include <string>
#include <string_view>

namespace vk::http {

/// `text` with each "%41" as the byte it stands for; nothing when a '%' is followed by something else.
std::optional<std::string> percent_decoded(std::string_view text);

} // namespace vk::http
