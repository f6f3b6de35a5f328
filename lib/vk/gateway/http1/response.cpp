#include "vk/gateway/http1/response.hpp"

#include "vk/base/error.hpp"
#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/date.hpp"
#include "vk/gateway/http1/status.hpp"
#include "vk/memory/heap_run.hpp"
#include "vk/proc/yield.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace vk::http {
namespace {

constexpr std::size_t number_bytes_max = 20;

// What the server says, and must not be said differently (RFC 9112, 11.1).
bool is_framing(std::string_view name) noexcept
{
    switch (name.size()) {
    case 10:
        return ascii::equal(name, "connection");
    case 14:
        return ascii::equal(name, "content-length");
    case 17:
        return ascii::equal(name, "transfer-encoding");
    default:
        return false;
    }
}

char* put(char* to, std::string_view text) noexcept
{
    if (!text.empty()) // memcpy(3) takes no null pointer
        std::memcpy(to, text.data(), text.size());
    return to + text.size();
}

// As put(), of so many bytes: no call is needed.
template <std::size_t Bytes>
char* put_all(char* to, std::string_view text) noexcept
{
    std::memcpy(to, text.data(), Bytes);
    return to + Bytes;
}

char* put_number(char* to, std::uint64_t value) noexcept
{
    return std::to_chars(to, to + number_bytes_max, value).ptr;
}

char* put_status_line(char* to, int status) noexcept
{
    to = put(to, "HTTP/1.1 ");
    to = put_number(to, static_cast<std::uint64_t>(status));
    to = put(to, " ");
    to = put(to, reason(status));
    return put(to, "\r\n");
}

constexpr std::size_t longest_reason = 31; // "Request Header Fields Too Large"
constexpr std::size_t fixed_bytes_max =
    sizeof("HTTP/1.1 200 \r\nConnection: keep-alive\r\nContent-Type: \r\nTransfer-Encoding: "
           "chunked\r\n\r\n") +
    longest_reason + date_lines::bytes + number_bytes_max;

// A line of a chunk's size, and what ends it.
constexpr std::size_t chunk_line_bytes_max = 16 + 2;

} // namespace

// --- the head

response& response::status(int code) noexcept
{
    VK_REQUIRE(!begun() && code >= 200 && code <= 599);
    status_ = code;
    return *this;
}

response& response::header(std::string_view name, std::string_view value)
{
    VK_REQUIRE(!begun());
    if (!ascii::is_token(name) || !ascii::all<ascii::value>(value) || is_framing(name))
        raise(EINVAL, "a field of a response");
    if (!fields_)
        fields_ = static_cast<char*>(io_->owner().heap().take(1));
    std::size_t need = name.size() + value.size() + 4;
    if (need > limits::page_bytes - fields_bytes_)
        raise(EINVAL, "more fields in a response than fit into a page");
    char* to = fields_ + fields_bytes_;
    to = put(to, name);
    to = put(to, ": ");
    to = put(to, value);
    to = put(to, "\r\n");
    fields_bytes_ = static_cast<std::uint16_t>(to - fields_);
    return *this;
}

void response::free_fields() noexcept
{
    io_->owner().heap().give(std::exchange(fields_, nullptr));
    fields_bytes_ = 0;
}

inline std::size_t response::head_bytes_max(media_type type) const noexcept
{
    return fixed_bytes_max + type.text().size() + fields_bytes_;
}

[[gnu::always_inline]] inline char*
response::render_head(char* to, framing how, std::uint64_t length, media_type type) const noexcept
{
    nanoseconds now = io_->owner().shared().now;
    if (is_usual()) [[likely]] {
        to = put_all<date_lines::bytes>(to, date_lines::at(now));
    } else {
        to = put_status_line(to, status_);
        to = put(to, date_lines::date_at(now));
        if (close_)
            to = put(to, "Connection: close\r\n");
        else if (request_->head().version_minor() == 0)
            to = put(to, "Connection: keep-alive\r\n"); // RFC 9112, C.2.2
        to = put(to, {fields_, fields_bytes_});
    }
    if (!type.text().empty()) {
        to = put(to, "Content-Type: ");
        to = put(to, type.text());
        to = put(to, "\r\n");
    }
    if (how == framing::length) [[likely]] {
        to = put(to, "Content-Length: ");
        to = put_number(to, length);
        return put(to, "\r\n\r\n");
    }
    return put(to, how == framing::chunks ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
}

// --- at once

send_awaiter response::send(std::string_view body, media_type type)
{
    VK_REQUIRE(!begun());
    if (!request_->body_ended()) [[unlikely]]
        close_ |= request_->ends_connection(); // RFC 9112, 9.6: the last answer says that it is
    std::span<char> room = io_->prepare();
    if (has_no_content() || head_bytes_max(type) + body.size() > room.size()) [[unlikely]]
        return send_awaiter(send_slowly(body, type));
    phase_ = phase::done;
    sent_ = 0;
    char* to = render_head(room.data(), framing::length, body.size(), type);
    if (!wants_head_only()) [[likely]] {
        sent_ = body.size();
        to = put(to, body);
    }
    io_->commit(static_cast<std::size_t>(to - room.data()));
    return {};
}

task<> response::send_slowly(std::string_view body, media_type type)
{
    phase_ = phase::done;
    sent_ = 0;
    if (has_no_content())
        body = {};
    framing how = has_no_content() && has_no_length() ? framing::none : framing::length;
    task<> head = send_head(how, body.size(), type);
    co_await std::move(head);
    if (how == framing::none || wants_head_only())
        co_return;
    sent_ = body.size();
    co_await io_->write(body);
}

// Into the ring if there is room in one piece, else through a page of the heap.
task<> response::send_head(framing how, std::uint64_t length, media_type type)
{
    std::span<char> room = io_->prepare();
    std::size_t most = head_bytes_max(type);
    if (most <= room.size()) {
        char* end = render_head(room.data(), how, length, type);
        io_->commit(static_cast<std::size_t>(end - room.data()));
        co_return;
    }
    heap_run aside(io_->owner().heap(), pages_for(most));
    char* end = render_head(aside.data(), how, length, type);
    co_await io_->write(
        std::string_view(aside.data(), static_cast<std::size_t>(end - aside.data())));
}

// --- as a stream

response::framing response::framing_of_stream() const noexcept
{
    if (has_no_content())
        return has_no_length() ? framing::none : framing::length;
    if (has_length_)
        return framing::length;
    // RFC 9112, 6.1: no transfer coding for a client of HTTP/1.0.
    return request_->head().version_minor() == 0 ? framing::until_close : framing::chunks;
}

task<> response::begin()
{
    if (begun())
        co_return;
    framing_ = framing_of_stream();
    phase_ = phase::streaming;
    sent_ = 0;
    if (has_no_content())
        length_ = 0;
    close_ |= framing_ == framing::until_close;
    task<> head = send_head(framing_, length_, {});
    co_await std::move(head);
}

task<> response::write(std::string_view piece)
{
    VK_REQUIRE(phase_ != phase::done);
    if (!begun()) {
        task<> beginning = begin();
        co_await std::move(beginning);
    }
    if (has_no_content() || wants_head_only()) {
        // Nothing blocks who writes for nobody: others must have their turn all the same.
        io_->owner().spend(static_cast<std::int64_t>(piece.size()));
        if (io_->owner().spent())
            co_await yield();
        co_return;
    }
    if (piece.empty())
        co_return;
    if (!fits(piece.size()))
        raise(EMSGSIZE, "a response longer than its length");
    if (torn_)
        raise(EPIPE, "a response of which a piece was not written");
    // Who passes over the failure of a write must not make the answer look whole.
    torn_ = true;
    task<> writing = write_piece(piece);
    co_await std::move(writing);
    torn_ = false;
    sent_ += piece.size();
}

task<> response::write_piece(std::string_view piece)
{
    if (framing_ != framing::chunks) {
        co_await io_->write(piece);
        co_return;
    }
    char line[chunk_line_bytes_max];
    char* end = std::to_chars(line, line + sizeof(line), piece.size(), 16).ptr;
    end = put(end, "\r\n");
    co_await io_->write(std::string_view(line, static_cast<std::size_t>(end - line)));
    co_await io_->write(piece);
    co_await io_->write("\r\n");
}

task<> response::finish()
{
    if (!begun()) {
        // Nothing was written, and nothing will be. (Of what GET would say, HEAD knows nothing.)
        if (!has_length_ && !wants_head_only())
            length(0);
        task<> beginning = begin();
        co_await std::move(beginning);
    }
    if (std::exchange(phase_, phase::done) == phase::done)
        co_return;
    if (wants_head_only())
        co_return;
    if (torn_ || (framing_ == framing::length && sent_ < length_))
        raise(EMSGSIZE, "a response shorter than its length");
    if (framing_ == framing::chunks)
        co_await io_->write("0\r\n\r\n");
}

} // namespace vk::http
