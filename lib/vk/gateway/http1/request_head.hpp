#pragma once

// request_head: the request line and the fields of a request (RFC 9112, 3 and 5), as views into its bytes.
// A head keeps a pointer and 16-bit offsets: when the bytes are copied elsewhere, rebase() is all there is to do.
//
// request_parser: makes one of the bytes of a stream, however they are split, and refuses what is not one.
// It does not repair: a request that two readers could understand differently is how a third is smuggled
// (RFC 9112, 11.2). The docs have the table of the rules: docs/http1-conformance.md.

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

class request_head {
public:
    /// The same bytes are now at `copy`.
    void rebase(const char* copy) noexcept { base_ = copy; }

    /// The bytes of the head.
    const char* data() const noexcept { return base_; }

    http::method method() const noexcept { return method_; }
    std::string_view method_name() const noexcept
    {
        return target_at_ > 0 ? view(method_at_, target_at_ - 1) : std::string_view();
    }

    /// As it was sent.
    std::string_view target() const noexcept { return view(target_at_, target_end_); }

    /// As it was sent, not decoded: "/" for an absolute-form without one; the target itself when that is an
    /// authority (CONNECT) or "*" (OPTIONS).
    std::string_view path() const noexcept
    {
        return path_at_ == path_end_ ? std::string_view("/") : view(path_at_, path_end_);
    }

    /// Without its '?'.
    std::string_view query() const noexcept
    {
        return path_end_ == target_end_ ? std::string_view() : view(path_end_ + 1, target_end_);
    }

    /// The authority of the target if it has one, the Host field else (RFC 9112, 3.2.2). Empty when HTTP/1.0
    /// has neither.
    std::string_view host() const noexcept { return view(host_at_, host_end_); }

    /// 0 or 1: a later minor version is understood as the last one that is known (RFC 9110, 2.5).
    unsigned version_minor() const noexcept { return has(minor_1) ? 1 : 0; }

    http::fields fields() const noexcept
    {
        return bytes_ == 0 ? http::fields() : http::fields(view(fields_at_, bytes_ - 2));
    }
    std::optional<std::string_view> field(std::string_view name) const noexcept
    {
        return fields().find(name);
    }

    bool chunked() const noexcept { return has(chunked_body); }
    std::optional<std::uint64_t> content_length() const noexcept
    {
        return has(length_given) ? std::optional(content_length_) : std::nullopt;
    }
    bool has_body() const noexcept { return chunked() || content_length_ > 0; }

    /// What version and Connection say (RFC 9112, 9.3).
    bool keep_alive() const noexcept { return has(persistent); }

    /// The client waits for 100 (Continue) before it sends the body (RFC 9110, 10.1.1).
    bool expects_continue() const noexcept { return has(continue_expected); }

    /// Length of the head, with the empty line at its end and one before it.
    std::size_t bytes() const noexcept { return bytes_; }

private:
    friend class request_reader;

    enum flag : std::uint8_t {
        minor_1 = 1,
        chunked_body = 2,
        length_given = 4,
        persistent = 8,
        continue_expected = 16,
    };

    bool has(flag one) const noexcept { return (flags_ & one) != 0; }
    std::string_view view(int from, int to) const noexcept { return {base_ + from, base_ + to}; }

    const char* base_ = nullptr;
    std::uint64_t content_length_ = 0;
    // method_at_ < target_at_ <= path_at_ <= path_end_ <= target_end_ < fields_at_ <= bytes_ - 2
    std::uint16_t method_at_ = 0;
    std::uint16_t target_at_ = 0;
    std::uint16_t target_end_ = 0;
    std::uint16_t path_at_ = 0;
    std::uint16_t path_end_ = 0; ///< where the '?' is, if there is one
    std::uint16_t host_at_ = 0;
    std::uint16_t host_end_ = 0;
    std::uint16_t fields_at_ = 0;
    std::uint16_t bytes_ = 0;
    http::method method_ = method::other;
    std::uint8_t flags_ = 0;
};

static_assert(std::is_trivially_copyable_v<request_head> && sizeof(request_head) <= 40);

class request_parser {
public:
    /// Parse `bytes`: all that is there of the stream from the request's first byte on, maybe at another
    /// address than at the last call, never fewer. `out` is valid when the head is complete. Bytes are parsed at
    /// the first call, in the hope that they are all; after that, only what is new is looked at until the
    /// head's end is there. What is said in the end is the same for every split.
    parsed parse(std::string_view bytes, const bounds& limits, request_head& out) noexcept
    {
        if (tried_ && !end_.reached(bytes, limits, limits.request_line_bytes))
            return to_parsed(refusals::more);
        tried_ = true;
        return parse_now(bytes, limits, out);
    }

    /// As parse(), when no more bytes will come: `incomplete` then says that no request was begun.
    parsed parse_end(std::string_view bytes, const bounds& limits, request_head& out) noexcept;

    /// The next request is another one.
    void reset() noexcept { *this = {}; }

private:
    static parsed parse_now(std::string_view bytes, const bounds& limits,
                            request_head& out) noexcept;

    head_end end_;
    bool tried_ = false;
};

} // namespace vk::http
