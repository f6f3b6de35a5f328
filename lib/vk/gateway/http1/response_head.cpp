#include "vk/gateway/http1/response_head.hpp"

#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/field_lines.hpp"
#include "vk/gateway/http1/framing.hpp"

#include <cstring>

namespace vk::http {

/// One pass over a head. Each step leaves at_ behind what it took.
class response_reader {
public:
    response_reader(std::string_view bytes, const bounds& limits, method asked,
                    response_head& out) noexcept
        : begin_{bytes.data()},
          at_{bytes.data()},
          end_{bytes.data() + bytes.size()},
          limits_{limits},
          asked_{asked},
          out_{out}
    {
        out = {};
        out.base_ = begin_;
    }

    const refusal* read() noexcept
    {
        const refusal* wrong = read_status_line();
        if (!wrong)
            wrong = read_fields();
        return wrong ? wrong : conclude();
    }

private:
    std::uint16_t offset(const char* at) const noexcept
    {
        return static_cast<std::uint16_t>(at - begin_);
    }

    const refusal* read_status_line() noexcept;
    const refusal* read_fields() noexcept;
    const refusal* take(std::string_view name, std::string_view value) noexcept;
    const refusal* conclude() noexcept;
    body_end judge_body() const noexcept;

    const char* begin_;
    const char* at_;
    const char* end_;
    const bounds& limits_;
    method asked_;
    response_head& out_;
    framing framing_;
};

// status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112, 4). The second space is missed
// out by servers that have no phrase.
const refusal* response_reader::read_status_line() noexcept
{
    constexpr std::string_view shape = "HTTP/1.d ddd";
    for (char wanted : shape) {
        if (at_ == end_)
            return &refusals::more;
        if (wanted == 'd' ? !ascii::is_digit(*at_) : *at_ != wanted)
            return &refusals::status_line;
        ++at_;
    }
    out_.version_minor_ = begin_[7] == '0' ? 0 : 1;
    int status = (at_[-3] - '0') * 100 + (at_[-2] - '0') * 10 + (at_[-1] - '0');
    if (status < 100 || status > 599) // RFC 9110, 15
        return &refusals::status_line;
    out_.status_ = static_cast<std::uint16_t>(status);

    const char* stop = ascii::skip<ascii::value>(at_, end_);
    if (stop - begin_ + 2 > limits_.field_line_bytes)
        return &refusals::line_length;
    if (stop != at_ && *at_ != ' ')
        return &refusals::status_line;
    if (stop == end_ || (end_ - stop == 1 && *stop == '\r'))
        return &refusals::more;
    if (end_ - stop < 2 || !is_crlf(stop)) // a bare LF may be the last byte
        return &refusals::status_line;
    out_.reason_at_ = offset(stop == at_ ? at_ : at_ + 1);
    out_.reason_end_ = offset(stop);
    at_ = stop + 2;
    out_.fields_at_ = offset(at_);
    return nullptr;
}

const refusal* response_reader::read_fields() noexcept
{
    auto take_field = [this](const char* name, const char* colon, const char* stop) {
        return take({name, colon}, {colon + 1, stop});
    };
    const refusal* wrong = read_field_lines(at_, end_, limits_, take_field);
    out_.bytes_ = offset(at_);
    return wrong;
}

const refusal* response_reader::take(std::string_view name, std::string_view value) noexcept
{
    if (name.empty())
        return &refusals::name;
    if (ascii::equal(name, "connection"))
        framing_.connection(value);
    else if (ascii::equal(name, "transfer-encoding"))
        framing_.transfer_encoding(value);
    else if (ascii::equal(name, "content-length"))
        return framing_.content_length(value);
    return nullptr;
}

/// The rules of RFC 9112, 6.3, in their order.
body_end response_reader::judge_body() const noexcept
{
    bool tunnel = asked_ == method::connect && out_.status_ >= 200 && out_.status_ < 300;
    bool never = out_.status_ < 200 || out_.status_ == 204 || out_.status_ == 304;
    if (asked_ == method::head || never || tunnel)
        return body_end::none;
    if (framing_.chunked())
        return body_end::chunked;
    return framing_.has_length() ? body_end::length : body_end::close;
}

const refusal* response_reader::conclude() noexcept
{
    // A response without a body can say how one would be encoded, but not both ways.
    if (const refusal* wrong = framing_.check(out_.version_minor_))
        return wrong;
    out_.has_length_ = framing_.has_length();
    out_.content_length_ = framing_.length();
    out_.body_end_ = judge_body();
    out_.keep_alive_ =
        framing_.keep_alive(out_.version_minor_) && out_.body_end_ != body_end::close;
    return nullptr;
}

parsed response_parser::parse_now(std::string_view bytes, const bounds& limits, method asked,
                                  response_head& out) noexcept
{
    std::size_t head_max = limits.head_max();
    const refusal* wrong = response_reader(bytes.substr(0, head_max), limits, asked, out).read();
    if (!wrong)
        return {parsed::complete, static_cast<std::uint32_t>(out.bytes()), 0, ""};
    if (wrong == &refusals::more && bytes.size() >= head_max)
        wrong = &refusals::head_length;
    parsed said = to_parsed(*wrong);
    if (said.state == parsed::refused)
        said.status = 502; // RFC 9110, 15.6.3
    return said;
}

parsed response_parser::parse_end(std::string_view bytes, const bounds& limits, method asked,
                                  response_head& out) noexcept
{
    parsed said = parse_now(bytes, limits, asked, out);
    if (said.state == parsed::incomplete && !bytes.empty())
        return {parsed::refused, 0, 502, refusals::stream_end.why};
    return said;
}

} // namespace vk::http
