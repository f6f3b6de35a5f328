#pragma once

// framing: what the fields of a head say about the length of its body (RFC 9112, 6) and about the end of its
// connection (RFC 9112, 9.3), for requests and responses alike.
//
// Where two readers of a message could differ about where it ends, the next one can be smuggled in it
// (RFC 9112, 11.2). So a Content-Length is taken only once and alone, though RFC 9110, 8.6 permits a
// list of equal ones, and of transfer codings only `chunked`.

#include "vk/gateway/http1/refusal.hpp"

#include <cstdint>
#include <string_view>

namespace vk::http {

class framing {
public:
    // --- fields, as they come, with the whitespace around their values

    const refusal* content_length(std::string_view value) noexcept;
    void transfer_encoding(std::string_view value) noexcept;
    void connection(std::string_view value) noexcept;

    /// What all of them say together is right, in a message of HTTP/1.`minor`.
    const refusal* check(unsigned minor) const noexcept
    {
        return has_coding_ ? check_coding(minor) : nullptr;
    }

    bool has_length() const noexcept { return has_length_; }
    std::uint64_t length() const noexcept { return length_; }
    bool chunked() const noexcept { return last_is_chunked_; }

    /// RFC 9112, 9.3.
    bool keep_alive(unsigned minor) const noexcept { return !close_ && (minor > 0 || keep_alive_); }

private:
    const refusal* check_coding(unsigned minor) const noexcept;

    std::uint64_t length_ = 0;
    bool has_length_ = false;
    bool has_coding_ = false;
    bool last_is_chunked_ = false;
    bool other_coding_ = false;
    bool bad_coding_ = false; ///< chunked is not the last, or there is an empty field
    bool close_ = false;
    bool keep_alive_ = false;
};

} // namespace vk::http
