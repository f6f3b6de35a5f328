#include "vk/gateway/http1/request.hpp"

#include "vk/gateway/http1/error.hpp"
#include "vk/gateway/http1/response.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vk::http {

std::string_view request::param(std::string_view name) const noexcept
{
    for (std::size_t at = 0; at < parameters_; ++at)
        if (parameter_[at].name == name)
            return parameter_[at].value;
    return {};
}

// Reading the body overwrites the ring, so the head moves out of it.
void request::begin_body()
{
    permitted_ = false;
    body_bytes_ = 0;
    body_left_ = head_.content_length().value_or(0);
    rest_ = {};
    chunks_ = {};
    kept_ = io_->owner().heap().take(pages_for(head_.bytes()));
    std::memcpy(kept_, head_.data(), head_.bytes());
    head_.rebase(static_cast<const char*>(kept_));
}

void request::free_pages() noexcept
{
    if (body_)
        io_->owner().heap().give(std::exchange(body_, nullptr));
    io_->owner().heap().give(std::exchange(kept_, nullptr));
}

// RFC 9110, 10.1.1: a client that is told nothing sends its body after a while, or never.
bool request::awaits_permission() const noexcept
{
    return head_.expects_continue() && !permitted_ && !body_ended_;
}

task<> request::permit()
{
    permitted_ = true;
    if (answer_->begun()) // it would stand within the answer
        co_return;
    co_await io_->write("HTTP/1.1 100 Continue\r\n\r\n");
}

void request::count(std::size_t bytes)
{
    body_bytes_ += bytes;
    if (body_bytes_ > how_->bounds.body_bytes)
        throw error(413, "the body is too long");
}

task<std::string_view> request::next_piece()
{
    if (body_ended_)
        co_return std::string_view{};
    if (awaits_permission())
        co_await permit();
    for (;;) {
        std::string_view bytes = co_await io_->look(1);
        if (bytes.empty())
            throw error(400, "the body ended early");
        if (!head_.chunked()) {
            auto count =
                static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
            body_left_ -= count;
            body_ended_ = body_left_ == 0;
            co_return io_->take(count);
        }
        chunk_decoder::step step = chunks_.next(bytes, how_->bounds);
        if (step.state == chunk_decoder::step::refused)
            throw error(step.status, step.why);
        std::string_view taken = io_->take(step.skip + step.data);
        body_ended_ = step.state == chunk_decoder::step::done;
        count(step.data);
        if (step.data > 0 || body_ended_)
            co_return taken.substr(step.skip);
    }
}

task<std::string_view> request::read_piece()
{
    if (!rest_.empty())
        co_return std::exchange(rest_, {});
    task<std::string_view> next = next_piece();
    co_return co_await std::move(next);
}

task<std::size_t> request::read(std::span<char> to)
{
    if (to.empty())
        co_return 0;
    if (rest_.empty()) {
        task<std::string_view> next = next_piece();
        rest_ = co_await std::move(next);
    }
    std::size_t count = std::min(rest_.size(), to.size());
    if (count > 0)
        std::memcpy(to.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    co_return count;
}

task<std::string_view> request::body()
{
    if (!rest_.empty() || (head_.chunked() && !body_ended_)) {
        task<std::string_view> gathering = gather();
        co_return co_await std::move(gathering);
    }
    if (body_ended_)
        co_return std::string_view{};
    if (awaits_permission())
        co_await permit();
    auto length = static_cast<std::size_t>(body_left_);
    std::string_view bytes;
    bool room = true;
    try {
        bytes = co_await io_->look(length);
    } catch (const heap_exhausted&) {
        room = false;
    }
    if (!room)
        throw error(413, "the body outgrows the connection's heap");
    if (bytes.size() < length)
        throw error(400, "the body ended early");
    body_left_ = 0;
    body_ended_ = true;
    co_return io_->take(length);
}

// The pieces of a body are brought together in pages that double as they fill.
task<std::string_view> request::gather()
{
    class heap& heap = io_->owner().heap();
    std::size_t pages = 0;
    std::size_t bytes = 0;
    for (;;) {
        task<std::string_view> next = read_piece();
        std::string_view piece = co_await std::move(next);
        if (piece.empty())
            co_return std::string_view(static_cast<const char*>(body_), bytes);
        if (bytes + piece.size() > pages * limits::page_bytes) {
            pages = std::max(2 * pages, pages_for(bytes + piece.size()));
            void* larger = heap.try_take(pages);
            if (!larger)
                throw error(413, "the body outgrows the connection's heap");
            if (bytes > 0)
                std::memcpy(larger, body_, bytes);
            if (body_)
                heap.give(body_);
            body_ = larger;
        }
        std::memcpy(static_cast<char*>(body_) + bytes, piece.data(), piece.size());
        bytes += piece.size();
    }
}

bool request::ends_connection() const noexcept
{
    return awaits_permission() || body_left_ > how_->unread_bytes_max;
}

task<bool> request::drop_rest()
{
    // A client that was not told to go on may send the body or not: there is no telling what comes next.
    if (awaits_permission())
        co_return false;
    for (std::size_t dropped = 0; !body_ended_;) {
        task<std::string_view> next = next_piece();
        std::string_view piece = co_await std::move(next);
        dropped += piece.size();
        if (dropped > how_->unread_bytes_max)
            co_return false;
    }
    co_return true;
}

} // namespace vk::http
