#pragma once

// request: what a client asks, for a handler.
//
// The head is parsed in place: every view lies in the rx ring, or, when the request has a body, in pages of the
// heap to which the head was moved so that the body may stream through the ring. Views of the head are good
// until the handler returns, views of the body until the next read.

#include "vk/gateway/http1/chunk_decoder.hpp"
#include "vk/gateway/http1/request_head.hpp"
#include "vk/gateway/http1/settings.hpp"
#include "vk/io/socket.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vk::http {

class response;

class request {
public:
    request(socket& io, const settings& how) noexcept : io_(&io), how_(&how) {}
    ~request() { end(); }
    request(const request&) = delete;
    request& operator=(const request&) = delete;

    // --- the head

    http::method method() const noexcept { return head_.method(); }
    std::string_view method_name() const noexcept { return head_.method_name(); }

    /// As it was sent (RFC 9112, 3.2).
    std::string_view target() const noexcept { return head_.target(); }

    /// The path of the target, as it was sent: percent-encoded.
    std::string_view path() const noexcept { return head_.path(); }

    /// What follows the '?' of the target, or nothing.
    std::string_view query() const noexcept { return head_.query(); }

    std::string_view host() const noexcept { return head_.host(); }

    /// The first field of that name, in any case, or nothing.
    std::optional<std::string_view> field(std::string_view name) const noexcept
    {
        return head_.field(name);
    }
    http::fields fields() const noexcept { return head_.fields(); }
    const request_head& head() const noexcept { return head_; }

    /// What a router matched the pattern's parameter `name` with, or nothing.
    std::string_view param(std::string_view name) const noexcept;

    // --- the body

    bool has_body() const noexcept { return head_.has_body(); }

    /// Bytes of the body, where the client said so.
    std::optional<std::uint64_t> content_length() const noexcept { return head_.content_length(); }

    /// The next piece of the body, as it lies in the ring: good until the next read; empty at the end. A client
    /// that waits for permission (Expect) gets it now. Throws http::error when the body is malformed, too
    /// long or ends early.
    task<std::string_view> read_piece();

    /// Read up to `to.size()` bytes of the body, at least one; 0 at the end. Throws as read_piece().
    task<std::size_t> read(std::span<char> to);

    /// The whole body in one piece, or what was not read of it, which lies in the heap of the connection when it
    /// outgrows a ring; good until the next read. Throws as read_piece(), and http::error 413 when the heap has no room for it.
    task<std::string_view> body();

    /// The connection, for who must look beneath.
    socket& io() const noexcept { return *io_; }

private:
    friend class connection;
    friend class response;
    friend class router;

    struct parameter {
        std::string_view name;
        std::string_view value;
    };
    static constexpr std::size_t parameters_max = 6;

    // The head was parsed and taken from the ring.
    void begin()
    {
        parameters_ = 0;
        body_ended_ = !head_.has_body();
        if (!body_ended_) [[unlikely]]
            begin_body();
    }
    void end() noexcept
    {
        if (kept_) [[unlikely]]
            free_pages();
    }
    void begin_body();
    void free_pages() noexcept;
    bool awaits_permission() const noexcept;
    task<> permit();
    task<std::string_view> next_piece();
    task<std::string_view> gather();
    void count(std::size_t bytes);

    // Read what the handler left, if that is little. Returns whether the connection can go on.
    task<bool> drop_rest();
    bool body_ended() const noexcept { return body_ended_; }

    // Known before the answer: that drop_rest() would not read to the end of what the handler left.
    bool ends_connection() const noexcept;

    socket* io_;
    const settings* how_;
    const response* answer_ = nullptr;
    request_head head_;
    void* kept_ = nullptr; // pages that hold the head
    void* body_ = nullptr; // pages that hold the body
    std::uint64_t body_left_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::string_view rest_; // of the piece that read() is at
    chunk_decoder chunks_;
    bool body_ended_ = true;
    bool permitted_ = false;
    std::uint8_t parameters_ = 0;
    std::array<parameter, parameters_max> parameter_;
};

} // namespace vk::http
