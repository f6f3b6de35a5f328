#pragma once

// response_head: the status line and the fields of a response (RFC 9112, 4 and 5), as views into its bytes, and
// how long its body is, which depends on the request too (RFC 9112, 6.3). For clients.
//
// response_parser: as request_parser. What is wrong with a response is the 502 of a gateway.

#include "vk/gateway/http1/bounds.hpp"
#include "vk/gateway/http1/fields.hpp"
#include "vk/gateway/http1/head_end.hpp"
#include "vk/gateway/http1/method.hpp"
#include "vk/gateway/http1/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace vk::http {

/// Where a response's body ends.
enum class body_end : std::uint8_t {
    none,   ///< there is no body
    length, ///< after content_length() bytes
    chunked,
    close, ///< when the server closes the connection
};

class response_head {
public:
    /// The same bytes are now at `copy`.
    void rebase(const char* copy) noexcept { base_ = copy; }

    /// 100 to 599.
    int status() const noexcept { return status_; }

    /// The reason phrase as it was sent.
    std::string_view reason() const noexcept { return view(reason_at_, reason_end_); }

    /// 0 or 1, as of a request.
    unsigned version_minor() const noexcept { return version_minor_; }

    http::fields fields() const noexcept { return http::fields(view(fields_at_, bytes_ - 2)); }
    std::optional<std::string_view> field(std::string_view name) const noexcept
    {
        return fields().find(name);
    }

    http::body_end body_end() const noexcept { return body_end_; }

    /// What the field says, of the body that a HEAD or a 304 leaves out too.
    std::optional<std::uint64_t> content_length() const noexcept
    {
        return has_length_ ? std::optional(content_length_) : std::nullopt;
    }

    /// Another response can follow on this connection (RFC 9112, 9.3). It does after an interim one.
    bool keep_alive() const noexcept { return keep_alive_; }

    /// Another response to the same request follows (RFC 9110, 15.2).
    bool interim() const noexcept { return status_ < 200 && status_ != 101; }

    std::size_t bytes() const noexcept { return bytes_; }

private:
    friend class response_reader;

    std::string_view view(int from, int to) const noexcept { return {base_ + from, base_ + to}; }

    const char* base_ = nullptr;
    std::uint64_t content_length_ = 0;
    std::uint16_t status_ = 0;
    std::uint16_t reason_at_ = 0;
    std::uint16_t reason_end_ = 0;
    std::uint16_t fields_at_ = 0;
    std::uint16_t bytes_ = 0;
    std::uint8_t version_minor_ = 0;
    http::body_end body_end_ = http::body_end::none;
    bool has_length_ = false;
    bool keep_alive_ = false;
};

static_assert(std::is_trivially_copyable_v<response_head> && sizeof(response_head) <= 32);

class response_parser {
public:
    /// As request_parser::parse(), of a response to a request of that method. The length of a body is not
    /// bounded here: it is the client that asked for it.
    parsed parse(std::string_view bytes, const bounds& limits, method asked,
                 response_head& out) noexcept
    {
        if (tried_ && !end_.reached(bytes, limits, limits.field_line_bytes))
            return to_parsed(refusals::more);
        tried_ = true;
        return parse_now(bytes, limits, asked, out);
    }

    /// As parse(), when no more bytes will come: `incomplete` then says that no response was begun.
    parsed parse_end(std::string_view bytes, const bounds& limits, method asked,
                     response_head& out) noexcept;

    void reset() noexcept { *this = {}; }

private:
    static parsed parse_now(std::string_view bytes, const bounds& limits, method asked,
                            response_head& out) noexcept;

    head_end end_;
    bool tried_ = false;
};

} // namespace vk::http
