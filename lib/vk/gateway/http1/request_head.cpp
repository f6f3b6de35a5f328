#include "vk/gateway/http1/request_head.hpp"

#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/authority.hpp"
#include "vk/gateway/http1/field_lines.hpp"
#include "vk/gateway/http1/framing.hpp"

#include <cstring>

namespace vk::http {

/// One pass over a head. Each step leaves at_ behind what it took.
class request_reader {
public:
    request_reader(std::string_view bytes, const bounds& limits, request_head& out) noexcept
        : begin_{bytes.data()},
          at_{bytes.data()},
          end_{bytes.data() + bytes.size()},
          limits_{limits},
          out_{out}
    {
        out = {};
        out.base_ = begin_;
    }

    [[gnu::always_inline]] const refusal* read() noexcept
    {
        const refusal* wrong = read_request_line();
        if (!wrong)
            wrong = read_fields();
        return wrong ? wrong : conclude();
    }

    bool in_method() const noexcept { return out_.target_at_ == 0; }
    bool in_request_line() const noexcept { return out_.fields_at_ == 0; }

private:
    using head = request_head;

    std::uint16_t offset(const char* at) const noexcept
    {
        return static_cast<std::uint16_t>(at - begin_);
    }
    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

    [[gnu::always_inline]] const refusal* read_request_line() noexcept;
    [[gnu::always_inline]] const refusal* read_method() noexcept;
    [[gnu::always_inline]] const refusal* read_target() noexcept;
    [[gnu::always_inline]] const refusal* read_version() noexcept;
    [[gnu::noinline]] const refusal* read_other_version() noexcept;
    [[gnu::always_inline]] const refusal* judge_target() noexcept;
    [[gnu::noinline]] const refusal* judge_authority_target() noexcept;
    [[gnu::noinline]] const refusal* judge_other_target() noexcept;
    [[gnu::always_inline]] const refusal* read_fields() noexcept;
    [[gnu::always_inline]] const refusal* take(const char* name, const char* colon,
                                               const char* stop) noexcept;
    [[gnu::always_inline]] const refusal* take_host(const char* from, const char* stop) noexcept;
    [[gnu::noinline]] const refusal* take_expect(std::string_view value) noexcept;
    [[gnu::always_inline]] const refusal* conclude() noexcept;

    const char* begin_;
    const char* at_;
    const char* end_;
    const char* line_ = nullptr; ///< where the request line begins
    const bounds& limits_;
    request_head& out_;
    framing framing_;
    bool has_host_ = false;
    bool target_has_host_ = false;
    bool expects_ = false;
};

// request-line = method SP request-target SP HTTP-version CRLF (RFC 9112, 3). One empty line before it is
// skipped (2.2).
inline const refusal* request_reader::read_request_line() noexcept
{
    if (left() >= 1 && *at_ == '\r') [[unlikely]] {
        if (left() < 2)
            return &refusals::more;
        if (!is_crlf(at_))
            return &refusals::method;
        at_ += 2;
    }
    line_ = at_;
    out_.method_at_ = offset(at_);
    const refusal* wrong = read_method();
    if (!wrong)
        wrong = read_target();
    if (!wrong)
        wrong = read_version();
    return wrong ? wrong : judge_target();
}

inline const refusal* request_reader::read_method() noexcept
{
    if (left() >= 4 && ascii::load<std::uint32_t>(at_) == ascii::load<std::uint32_t>("GET "))
        [[likely]] {
        out_.method_ = method::get;
        at_ += 4;
    } else {
        const char* stop = ascii::skip<ascii::token>(at_, end_);
        if (stop - line_ >= limits_.request_line_bytes)
            return &refusals::method_length; // RFC 9112, 3
        if (stop == end_)
            return &refusals::more;
        if (*stop != ' ' || stop == at_)
            return &refusals::method;
        out_.method_ = method_from({at_, stop});
        at_ = stop + 1;
    }
    out_.target_at_ = offset(at_);
    return nullptr;
}

inline const refusal* request_reader::read_target() noexcept
{
    const char* stop = ascii::leap<ascii::path>(at_, end_);
    const char* path_end = stop;
    if (stop != end_ && *stop == '?')
        stop = ascii::leap<ascii::query>(stop, end_);
    // Behind it are a space, the version and CRLF.
    if (stop - line_ + 11 > limits_.request_line_bytes) [[unlikely]]
        return &refusals::target_length;
    if (stop == end_) [[unlikely]]
        return &refusals::more;
    if (*stop != ' ' || stop == at_) [[unlikely]]
        return &refusals::target;
    out_.path_at_ = out_.target_at_;
    out_.path_end_ = offset(path_end);
    out_.target_end_ = offset(stop);
    at_ = stop + 1;
    return nullptr;
}

// HTTP-version = "HTTP/" DIGIT "." DIGIT (RFC 9112, 2.3)
inline const refusal* request_reader::read_version() noexcept
{
    if (left() < 10) [[unlikely]]
        return std::memchr(at_, '\n', left()) ? &refusals::request_line : &refusals::more;
    if (!is_crlf(at_ + 8) ||
        ascii::load<std::uint64_t>(at_) != ascii::load<std::uint64_t>("HTTP/1.1")) [[unlikely]] {
        if (const refusal* wrong = read_other_version())
            return wrong;
    } else {
        out_.flags_ |= head::minor_1;
    }
    at_ += 10;
    out_.fields_at_ = offset(at_);
    return nullptr;
}

const refusal* request_reader::read_other_version() noexcept
{
    bool well_formed = std::memcmp(at_, "HTTP/", 5) == 0 && ascii::is_digit(at_[5]) &&
                       at_[6] == '.' && ascii::is_digit(at_[7]) && is_crlf(at_ + 8);
    if (!well_formed)
        return &refusals::request_line;
    if (at_[5] != '1')
        return &refusals::version;
    if (at_[7] != '0') // RFC 9110, 2.5: a higher minor version is understood as the highest known
        out_.flags_ |= head::minor_1;
    return nullptr;
}

// The four forms (RFC 9112, 3.2).
inline const refusal* request_reader::judge_target() noexcept
{
    bool connects = out_.method_ == method::connect;
    if (begin_[out_.target_at_] == '/' && !connects) [[likely]] // origin-form
        return nullptr;
    return connects ? judge_authority_target() : judge_other_target();
}

// authority-form, with a port (RFC 9112, 3.2.3; RFC 9110, 9.3.6)
const refusal* request_reader::judge_authority_target() noexcept
{
    out_.host_at_ = out_.target_at_;
    out_.host_end_ = out_.target_end_;
    target_has_host_ = true;
    return valid_authority(out_.target(), port::required) ? nullptr : &refusals::target_form;
}

// asterisk-form, or absolute-form (RFC 9112, 3.2.2): of the schemes of HTTP, without userinfo (RFC 9110, 4.2).
const refusal* request_reader::judge_other_target() noexcept
{
    std::string_view target = out_.target();
    if (target == "*") // asterisk-form (RFC 9112, 3.2.4)
        return out_.method_ == method::options ? nullptr : &refusals::target_form;
    std::size_t colon = target.find(':');
    if (colon == target.npos || target.substr(colon, 3) != "://")
        return &refusals::target_form;
    std::string_view scheme = target.substr(0, colon);
    if (!ascii::equal(scheme, "http") && !ascii::equal(scheme, "https"))
        return &refusals::target_form;
    std::string_view rest = target.substr(colon + 3);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    if (!valid_authority(authority))
        return &refusals::target_form;
    out_.host_at_ = offset(authority.data());
    out_.path_at_ = out_.host_end_ = offset(authority.data() + authority.size());
    target_has_host_ = true;
    return nullptr;
}

inline const refusal* request_reader::read_fields() noexcept
{
    auto take_field = [this](const char* name, const char* colon, const char* stop)
                          __attribute__((always_inline)) { return take(name, colon, stop); };
    const refusal* wrong = read_field_lines(at_, end_, limits_, take_field);
    out_.bytes_ = offset(at_);
    return wrong;
}

/// The fields that say how the request is to be read; the length of a name tells most others apart.
inline const refusal* request_reader::take(const char* name, const char* colon,
                                           const char* stop) noexcept
{
    switch (colon - name) {
    case 0:
        return &refusals::name;
    case 4:
        return ascii::matches(name, "host") ? take_host(colon + 1, stop) : nullptr;
    case 6:
        return ascii::matches(name, "expect") ? take_expect({colon + 1, stop}) : nullptr;
    case 10:
        if (ascii::matches(name, "connection"))
            framing_.connection({colon + 1, stop});
        return nullptr;
    case 14:
        return ascii::matches(name, "content-length") ? framing_.content_length({colon + 1, stop})
                                                      : nullptr;
    case 17:
        if (ascii::matches(name, "transfer-encoding"))
            framing_.transfer_encoding({colon + 1, stop});
        return nullptr;
    default:
        return nullptr;
    }
}

// RFC 9112, 3.2. An empty one is what a client sends whose target has no authority.
inline const refusal* request_reader::take_host(const char* from, const char* stop) noexcept
{
    if (has_host_) [[unlikely]]
        return &refusals::host_twice;
    has_host_ = true;
    if (*from == ' ') // the only one, and none at the end, or else it takes a little longer
        ++from;
    if (!is_usual_authority(from, stop, end_)) [[unlikely]] {
        std::string_view value = ascii::trim({from, stop});
        if (!value.empty() && !valid_authority(value))
            return &refusals::host;
        from = value.data();
        stop = from + value.size();
    }
    if (!target_has_host_) {
        out_.host_at_ = offset(from);
        out_.host_end_ = offset(stop);
    }
    return nullptr;
}

// RFC 9110, 10.1.1
const refusal* request_reader::take_expect(std::string_view value) noexcept
{
    expects_ = true;
    return ascii::equal(ascii::trim(value), "100-continue") ? nullptr : &refusals::expectation;
}

/// What the whole head must satisfy.
inline const refusal* request_reader::conclude() noexcept
{
    unsigned minor = out_.version_minor();
    if (!has_host_ && minor > 0) [[unlikely]]
        return &refusals::host_missing; // RFC 9112, 3.2
    if (const refusal* wrong = framing_.check(minor))
        return wrong;
    if (framing_.length() > limits_.body_bytes) [[unlikely]]
        return &refusals::body_length; // RFC 9110, 15.5.14
    out_.content_length_ = framing_.length();
    if (framing_.has_length())
        out_.flags_ |= head::length_given;
    if (framing_.chunked())
        out_.flags_ |= head::chunked_body;
    if (framing_.keep_alive(minor))
        out_.flags_ |= head::persistent;
    if (expects_ && minor > 0 && out_.has_body()) // ignored in HTTP/1.0 (RFC 9110, 10.1.1)
        out_.flags_ |= head::continue_expected;
    return nullptr;
}

parsed request_parser::parse_now(std::string_view bytes, const bounds& limits,
                                 request_head& out) noexcept
{
    std::size_t head_max = limits.head_max();
    request_reader reader(bytes.substr(0, head_max), limits, out);
    const refusal* wrong = reader.read();
    if (!wrong) [[likely]]
        return {parsed::complete, static_cast<std::uint32_t>(out.bytes()), 0, ""};
    if (wrong == &refusals::more && bytes.size() >= head_max) {
        if (reader.in_method())
            wrong = &refusals::method_length;
        else if (reader.in_request_line())
            wrong = &refusals::target_length;
        else
            wrong = &refusals::head_length;
    }
    return to_parsed(*wrong);
}

parsed request_parser::parse_end(std::string_view bytes, const bounds& limits,
                                 request_head& out) noexcept
{
    parsed said = parse_now(bytes, limits, out);
    bool begun = !bytes.empty() && bytes != "\r" && bytes != "\r\n";
    return said.state == parsed::incomplete && begun ? to_parsed(refusals::stream_end) : said;
}

} // namespace vk::http
