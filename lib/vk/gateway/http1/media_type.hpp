#pragma once

// media_type: what a body is (RFC 9110, 8.3.1), as the head of an answer says it.
//
// A literal is checked when the program is compiled, other text when it is made one: with a line end in it, a type
// would be a field of its own, or another answer.

#include "vk/gateway/http1/ascii.hpp"

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace vk::http {

class media_type {
public:
    /// None: the head says nothing of it.
    constexpr media_type() noexcept = default;

    template <std::size_t Bytes>
    consteval media_type(const char (&literal)[Bytes]) // NOLINT(google-explicit-constructor)
        : text_(literal, Bytes - 1)
    {
        for (char c : text_)
            if (!ascii::is(c, ascii::value))
                throw "a media type has no control characters";
    }

    /// `text` is not copied. Throws vk::error (EINVAL) when it has a line end or another control character.
    template <class Text>
        requires std::convertible_to<const Text&, std::string_view> && (!std::is_array_v<Text>)
    media_type(const Text& text) // NOLINT(google-explicit-constructor)
        : text_(text)
    {
        check();
    }

    constexpr std::string_view text() const noexcept { return text_; }

private:
    void check() const;

    std::string_view text_;
};

} // namespace vk::http
