#pragma once

// response: what a handler answers.
//
// Either at once, by send(), whose head and body are rendered straight into the tx ring; or as a stream, by
// write() and finish(), in chunks unless its length() was told. Framing (RFC 9112, 6), Date, Connection, and
// what a HEAD request or a status without content leave out are the server's business.

#include "vk/gateway/http1/media_type.hpp"
#include "vk/gateway/http1/request.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vk::http {

/// An awaitable that is done at once when the answer fit into the ring.
class [[nodiscard("an answer may be longer than the ring: await it")]] send_awaiter {
public:
    send_awaiter() noexcept = default;
    explicit send_awaiter(task<>&& rest) noexcept : rest_(std::move(rest)) {}

    bool await_ready() { return !rest_.frame() || rest_.await_ready(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept { rest_.await_suspend(caller); }
    void await_resume()
    {
        if (rest_.frame()) [[unlikely]]
            rest_.await_resume();
    }

private:
    task<> rest_;
};

class response {
public:
    explicit response(request& to) noexcept : io_(&to.io()), request_(&to) { to.answer_ = this; }
    ~response() { end(); }
    response(const response&) = delete;
    response& operator=(const response&) = delete;

    // --- the head; before the first send() or write()

    /// 200 unless it is said. From 200 to 599; another number, or a call after the answer began, is the caller's bug.
    response& status(int code) noexcept;

    /// Add a field. Throws vk::error (EINVAL) when `name` is no token or `value` has a line end or another control
    /// character; heap_exhausted. Content-Length, Transfer-Encoding, Connection and Date are not for here.
    response& header(std::string_view name, std::string_view value);

    /// End the connection after this response.
    response& close() noexcept
    {
        close_ = true;
        return *this;
    }

    // --- at once

    /// Answer with `body`, of the media type `type`. Suspends when the answer does not fit into the tx ring; `body`
    /// must stay good until then.
    send_awaiter send(std::string_view body = {}, media_type type = {});

    // --- as a stream

    /// The bytes that write() will be given in all: without that, chunks are sent, or to a client of HTTP/1.0
    /// all up to the end of the connection.
    response& length(std::uint64_t bytes) noexcept
    {
        length_ = bytes;
        has_length_ = true;
        return *this;
    }

    /// The media type of a stream.
    response& type(std::string_view media_type) { return header("Content-Type", media_type); }

    /// Send the head, if that was not done. Suspends while the tx ring is full.
    task<> begin();

    /// Send a piece of the body; the head before the first. Suspends while the tx ring is full. Throws vk::error:
    /// EMSGSIZE beyond what length() said, and as socket::write().
    task<> write(std::string_view piece);

    /// So many bytes of the body were written past this, into io(): by sendfile(2).
    void written(std::uint64_t bytes) noexcept { sent_ += bytes; }

    /// End the body. Done for a handler that returns without.
    task<> finish();

    // --- what came of it

    int status() const noexcept { return status_; }

    /// Bytes of the body so far.
    std::uint64_t body_bytes() const noexcept { return sent_; }

    /// Whether the head has been rendered.
    bool begun() const noexcept { return phase_ != phase::open; }

private:
    friend class connection;

    enum class phase : std::uint8_t { open, streaming, done };
    enum class framing : std::uint8_t { none, length, chunks, until_close };

    bool fits(std::size_t bytes) const noexcept
    {
        return framing_ != framing::length || bytes <= length_ - std::min(sent_, length_);
    }
    task<> write_piece(std::string_view piece);

    // Before each request; `last` is that the connection ends with it.
    void reset(bool last) noexcept
    {
        end();
        status_ = 200;
        phase_ = phase::open;
        close_ = last;
        has_length_ = false;
        torn_ = false;
    }
    void end() noexcept
    {
        if (fields_) [[unlikely]]
            free_fields();
    }
    void free_fields() noexcept;
    // A head of two lines and what frames the body.
    bool is_usual() const noexcept
    {
        return status_ == 200 && !close_ && !fields_ && request_->head().version_minor() == 1;
    }
    bool keeps_connection() const noexcept { return !close_; }
    framing framing_of_stream() const noexcept;
    // RFC 9110, 15.3.5, 15.3.6 and 15.4.5.
    bool has_no_content() const noexcept
    {
        return status_ == 204 || status_ == 205 || status_ == 304;
    }
    // Of a 204 not even a length is told (RFC 9110, 8.6), while a 205 has that of nothing (15.3.6).
    bool has_no_length() const noexcept { return status_ != 205; }
    bool wants_head_only() const noexcept { return request_->head().method() == method::head; }
    std::size_t head_bytes_max(media_type type) const noexcept;
    char* render_head(char* to, framing how, std::uint64_t length, media_type type) const noexcept;
    task<> send_head(framing how, std::uint64_t length, media_type type);
    task<> send_slowly(std::string_view body, media_type type);

    socket* io_;
    request* request_;
    int status_ = 200;
    phase phase_ = phase::open;
    framing framing_ = framing::none;
    bool close_ = false;
    bool has_length_ = false;
    bool torn_ = false; // a piece was not written whole
    std::uint16_t fields_bytes_ = 0;
    char* fields_ = nullptr;   // a page of the heap with the fields that were added
    std::uint64_t length_ = 0; // what length() said, if it did
    std::uint64_t sent_ = 0;
};

} // namespace vk::http
