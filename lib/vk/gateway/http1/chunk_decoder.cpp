#include "vk/gateway/http1/chunk_decoder.hpp"

#include "vk/gateway/http1/ascii.hpp"

#include <algorithm>

namespace vk::http {

chunk_decoder::step chunk_decoder::next(std::string_view bytes, const bounds& limits) noexcept
{
    std::size_t skip = 0;
    for (;;) {
        if (state_ == state::done)
            return {skip, 0, step::done, 0, ""};
        if (state_ == state::refused)
            return {skip, 0, step::refused, wrong_->status, wrong_->why};
        if (skip == bytes.size())
            return {skip, 0, step::need, 0, ""};
        if (state_ == state::data) {
            auto data =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - skip));
            left_ -= data;
            if (left_ == 0)
                state_ = state::data_cr;
            return {skip, data, step::more, 0, ""};
        }
        wrong_ = take(bytes[skip], limits);
        if (wrong_)
            state_ = state::refused;
        else
            ++skip;
    }
}

/// A byte of framing.
const refusal* chunk_decoder::take(char c, const bounds& limits) noexcept
{
    if (state_ <= state::size_lf && ++line_ > limits.chunk_line_bytes)
        return &refusals::chunk_line_length; // RFC 9112, 7.1.1
    if (state_ >= state::trailer_first && ++line_ > limits.trailer_bytes)
        return &refusals::trailer_length; // RFC 9110, 5.4
    switch (state_) {
    case state::size_first:
        return ascii::is(c, ascii::hex) ? take_digit(c, limits) : &refusals::chunk_size;
    case state::size:
        return ascii::is(c, ascii::hex) ? take_digit(c, limits) : take_behind_size(c);
    case state::extension_gap:
        return ascii::is_blank(c) || c == ';' ? take_behind_size(c) : &refusals::chunk_line;
    case state::extension:
        if (c == '\r')
            return go_on(state::size_lf);
        return ascii::is(c, ascii::value) ? nullptr : &refusals::chunk_line;
    case state::size_lf:
        return c == '\n' ? take_line_end(limits) : &refusals::chunk_line;
    case state::data_cr:
        return c == '\r' ? go_on(state::data_lf) : &refusals::chunk_end;
    case state::data_lf:
        line_ = 0;
        return c == '\n' ? go_on(state::size_first) : &refusals::chunk_end;
    default:
        return take_trailer(c);
    }
}

const refusal* chunk_decoder::take_digit(char c, const bounds& limits) noexcept
{
    // Checked before it grows: it cannot overflow, however many digits there are (RFC 9112, 7.1).
    std::uint64_t max = limits.body_bytes - std::min(limits.body_bytes, total_);
    std::uint64_t digit = ascii::hex_value(c);
    if (left_ > max / 16 || left_ * 16 + digit > max)
        return &refusals::body_length;
    left_ = left_ * 16 + digit;
    return go_on(state::size);
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) (RFC 9112, 7.1.1)
const refusal* chunk_decoder::take_behind_size(char c) noexcept
{
    if (c == '\r')
        return go_on(state::size_lf);
    if (c == ';')
        return go_on(state::extension);
    return ascii::is_blank(c) ? go_on(state::extension_gap) : &refusals::chunk_size;
}

/// The line of a chunk's size is complete.
const refusal* chunk_decoder::take_line_end(const bounds& limits) noexcept
{
    // A chunk excuses as much framing as it has data, and a few bytes beside: what is beyond that must not
    // add up (RFC 9112, 7.1.1).
    constexpr std::uint32_t free_bytes = 16;
    overhead_ += line_;
    overhead_ -= static_cast<std::uint32_t>(std::min<std::uint64_t>(overhead_, left_ + free_bytes));
    if (overhead_ > 16 * std::uint64_t{limits.chunk_line_bytes})
        return &refusals::chunk_overhead;
    total_ += left_;
    line_ = 0;
    return go_on(left_ > 0 ? state::data : state::trailer_first);
}

// trailer-section = *( field-line CRLF ) (RFC 9112, 7.1.2), then an empty line
const refusal* chunk_decoder::take_trailer(char c) noexcept
{
    switch (state_) {
    case state::trailer_first:
        if (c == '\r')
            return go_on(state::end_lf);
        return ascii::is(c, ascii::token) ? go_on(state::trailer_name) : &refusals::trailer;
    case state::trailer_name:
        if (c == ':')
            return go_on(state::trailer_value);
        return ascii::is(c, ascii::token) ? nullptr : &refusals::trailer;
    case state::trailer_value:
        if (c == '\r')
            return go_on(state::trailer_lf);
        return ascii::is(c, ascii::value) ? nullptr : &refusals::trailer;
    case state::trailer_lf:
        return c == '\n' ? go_on(state::trailer_first) : &refusals::trailer;
    default:
        return c == '\n' ? go_on(state::done) : &refusals::trailer;
    }
}

const refusal* chunk_decoder::go_on(state next) noexcept
{
    state_ = next;
    return nullptr;
}

} // namespace vk::http
