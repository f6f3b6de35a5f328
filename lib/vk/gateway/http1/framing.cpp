#include "vk/gateway/http1/framing.hpp"

#include "vk/gateway/http1/ascii.hpp"

#include <limits>

namespace vk::http {

const refusal* framing::content_length(std::string_view value) noexcept
{
    if (has_length_)
        return &refusals::length_twice;
    has_length_ = true;
    value = ascii::trim(value);
    if (value.empty())
        return &refusals::length;
    constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
    for (char c : value) {
        if (!ascii::is_digit(c))
            return &refusals::length;
        // More than 64 bits is a number all the same, and more than any bound (RFC 9110, 8.6).
        auto digit = static_cast<unsigned>(c - '0');
        bool fits = length_ < max / 10 || (length_ == max / 10 && digit <= max % 10);
        length_ = fits ? length_ * 10 + digit : max;
    }
    return nullptr;
}

void framing::transfer_encoding(std::string_view value) noexcept
{
    // Several fields are one list (RFC 9110, 5.3); but of one without an element, others may think that it is the
    // only one. Chunked has no parameters (RFC 9112, 7.1), and is not applied twice (6.1).
    has_coding_ = true;
    bool empty = true;
    ascii::for_each_element(value, [&](std::string_view coding) {
        empty = false;
        bad_coding_ |= last_is_chunked_;
        last_is_chunked_ = ascii::equal(coding, "chunked");
        other_coding_ |= !last_is_chunked_;
    });
    bad_coding_ |= empty;
}

void framing::connection(std::string_view value) noexcept
{
    if (value.size() == 11 && value.front() == ' ' &&
        ascii::matches(value.data() + 1, "keep-alive")) {
        keep_alive_ = true; // as browsers send it
        return;
    }
    ascii::for_each_element(value, [this](std::string_view option) {
        close_ |= ascii::equal(option, "close");
        keep_alive_ |= ascii::equal(option, "keep-alive");
    });
}

const refusal* framing::check_coding(unsigned minor) const noexcept
{
    if (minor == 0) // RFC 9112, 6.1
        return &refusals::coding_in_1_0;
    if (has_length_) // RFC 9112, 6.3, rule 3
        return &refusals::length_and_coding;
    if (!last_is_chunked_ || bad_coding_) // RFC 9112, 6.3, rule 4, and 6.1
        return &refusals::coding_not_chunked;
    return other_coding_ ? &refusals::coding_unknown : nullptr; // RFC 9112, 6.1
}

} // namespace vk::http
