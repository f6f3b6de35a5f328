#include "vk/gateway/http1/client.hpp"

#include "vk/base/error.hpp"
#include "vk/gateway/http1/forwarding.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace vk::http {
namespace {

// Interim responses to one request: a server that sends more of them sends nothing else.
constexpr int interim_max = 32;

bool is_idempotent(method which) noexcept
{
    // RFC 9110, 9.2.2
    switch (which) {
    case method::get:
    case method::head:
    case method::put:
    case method::delete_:
    case method::options:
    case method::trace:
        return true;
    default:
        return false;
    }
}

// Whether a request of that method says that it has no body, by a length of 0 (RFC 9110, 8.6).
bool tells_empty_body(method which) noexcept
{
    return which == method::post || which == method::put || which == method::patch;
}

// Whether `e` is what the system says of a connection, not what ended a wait for it.
bool is_of_stream(const vk::error& e) noexcept
{
    return !dynamic_cast<const timed_out*>(&e) && !dynamic_cast<const cancelled*>(&e) &&
           !dynamic_cast<const heap_exhausted*>(&e);
}

void require(bool holds, const char* why)
{
    if (!holds)
        raise(EINVAL, why);
}

// What may stand between the blanks of a request line: the server says if it is a target.
bool is_visible(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != 0x7f; });
}

// What would make another request of this one must not leave (RFC 9112, 11.1).
void check(const client_request& what)
{
    require(ascii::is_token(what.method), "the method is not a token");
    require(what.method != "CONNECT", "a tunnel is not a request");
    require(!what.target.empty() && is_visible(what.target),
            "the target is empty, or has blanks or control characters");
    require(is_visible(what.host), "the host has blanks or control characters");
    for (const field& one : what.fields) {
        require(ascii::is_token(one.name), "a field name is not a token");
        require(ascii::all<ascii::value>(one.value), "a field value has control characters");
        require(!is_of_connection(one.name), "a field concerns the connection");
    }
    require(int{what.length.has_value()} + int{what.chunked} + int{!what.body.empty()} <= 1,
            "the body is framed twice");
}

} // namespace

upstream::upstream(std::string_view text, const client_options& how)
    : at(address::parse(text)), host(at.is_unix() ? "localhost" : text), options(how)
{
}

// --- the pool ---------------------------------------------------------------------------------------

client::~client()
{
    close_idle();
}

namespace {

struct kept_client : belonging {
    explicit kept_client(const upstream& where) noexcept : pool(where)
    {
        key = &where;
        end = [](belonging& one) noexcept {
            auto& self = static_cast<kept_client&>(one);
            heap& pages = self.owner->heap();
            self.~kept_client();
            pages.give(&self);
        };
    }

    process* owner = &process::current();
    client pool;
};

} // namespace

client& client::of_process(const upstream& where)
{
    process& self = process::current();
    if (belonging* found = self.kept(&where))
        return static_cast<kept_client*>(found)->pool;
    auto& made = *new (self.heap().take(1)) kept_client(where);
    self.keep(made);
    return made.pool;
}

void client::close_idle() noexcept
{
    while (!idle_.empty()) {
        connection& one = idle_.front();
        idle_.pop_front();
        drop(one);
    }
    idle_count_ = 0;
}

client::connection& client::make()
{
    static_assert(sizeof(connection) <= limits::page_bytes / 2);
    return *new (owner_->heap().take(1)) connection;
}

void client::drop(connection& one) noexcept
{
    one.~connection();
    owner_->heap().give(&one);
}

// The one that was used last: it is the least likely to have been closed.
client::connection* client::take_idle() noexcept
{
    nanoseconds now = process::current().shared().now;
    nanoseconds span = std::chrono::nanoseconds(where_->options.idle_timeout).count();
    while (!idle_.empty()) {
        connection& one = idle_.front();
        idle_.pop_front();
        --idle_count_;
        if (after(one.idle_since, span) > now && one.stream.quiet())
            return &one;
        drop(one);
    }
    return nullptr;
}

void client::give_back(connection& one) noexcept
{
    if (where_->options.idle_max == 0)
        return drop(one);
    one.idle_since = process::current().shared().now;
    idle_.push_front(one);
    if (++idle_count_ <= where_->options.idle_max)
        return;
    connection& oldest = idle_.back();
    idle_.pop_back();
    --idle_count_;
    drop(oldest);
}

// --- the request ------------------------------------------------------------------------------------

exchange::~exchange()
{
    if (head_pages_)
        process::current().heap().give(head_pages_);
    if (!connection_)
        return;
    bool whole = sent_ && received_ && !surplus_ && !aborted_ && send_error_ == 0;
    if (whole && head_.keep_alive())
        from_->give_back(*connection_);
    else
        drop();
}

void exchange::drop() noexcept
{
    from_->drop(*std::exchange(connection_, nullptr));
}

task<> exchange::send(const client_request& what)
{
    VK_REQUIRE(what_ == nullptr);
    check(what);
    what_ = &what;
    method_ = method_from(what.method);
    connection_ = from_->take_idle();
    reused_ = connection_ != nullptr;
    if (!reused_)
        co_await connect();
    co_await send_now();
}

task<> exchange::connect()
{
    connection_ = &from_->make();
    co_await connection_->stream.connect(from_->where().at, options().connect_timeout);
    io().set_timeout(options().timeout);
}

task<> exchange::send_now()
{
    try {
        co_await write_request();
    } catch (const vk::error& e) {
        note_break(e);
    }
}

task<> exchange::write_request()
{
    const client_request& what = *what_;
    socket& to = io();
    co_await to.write(what.method);
    co_await to.write(" ");
    co_await to.write(what.target);
    co_await to.write(" HTTP/1.1\r\nHost: ");
    co_await to.write(what.host.empty() ? from_->where().host : what.host);
    co_await to.write("\r\n");
    co_await write_fields();
    if (what.chunked)
        co_await to.write("Transfer-Encoding: chunked\r\n\r\n");
    else if (what.length || !what.body.empty() || tells_empty_body(method_))
        co_await to.print("Content-Length: {}\r\n\r\n", what.length.value_or(what.body.size()));
    else
        co_await to.write("\r\n");
    co_await to.write(what.body);
    to_send_ = what.length.value_or(0);
    sent_ = !what.streamed();
}

task<> exchange::write_fields()
{
    socket& to = io();
    for (const field& one : what_->forwarded) {
        if (!is_forwarded(one, what_->forwarded))
            continue;
        co_await to.write(one.name);
        co_await to.write(": ");
        co_await to.write(one.value);
        co_await to.write("\r\n");
    }
    for (const field& one : what_->fields) {
        co_await to.write(one.name);
        co_await to.write(": ");
        co_await to.write(one.value);
        co_await to.write("\r\n");
    }
}

task<bool> exchange::write(std::string_view part)
{
    VK_REQUIRE(what_ && what_->streamed() && !sent_);
    if (part.empty())
        co_return send_error_ == 0;
    if (!what_->chunked) {
        VK_REQUIRE(part.size() <= to_send_);
        to_send_ -= part.size();
    }
    bool taken = co_await send_some(part);
    co_return taken;
}

task<bool> exchange::send_some(std::string_view part)
{
    if (send_error_ != 0)
        co_return false;
    try {
        if (what_->chunked)
            co_await io().print("{:x}\r\n", part.size());
        co_await io().write(part);
        if (what_->chunked)
            co_await io().write("\r\n");
    } catch (const vk::error& e) {
        note_break(e);
    }
    co_return send_error_ == 0;
}

task<> exchange::finish()
{
    VK_REQUIRE(what_ && what_->streamed() && !sent_);
    VK_REQUIRE(send_error_ != 0 || to_send_ == 0);
    if (what_->chunked && send_error_ == 0) {
        try {
            co_await io().write("0\r\n\r\n");
        } catch (const vk::error& e) {
            note_break(e);
        }
    }
    sent_ = true;
}

// A connection that breaks may have brought an answer before: that is for response() to see.
void exchange::note_break(const vk::error& e)
{
    if (!is_of_stream(e))
        throw;
    send_error_ = e.code().value();
}

void exchange::abort() noexcept
{
    aborted_ = true;
    if (connection_ && connection_->stream.connected())
        io().rx_close();
}

void exchange::check_aborted() const
{
    if (aborted_)
        raise(ECONNABORTED, "the exchange was broken off");
}

// --- the response -----------------------------------------------------------------------------------

bool exchange::can_repeat() const noexcept
{
    return reused_ && !answered_ && !what_->streamed() && is_idempotent(method_);
}

task<const response_head&> exchange::response()
{
    VK_REQUIRE(what_ != nullptr);
    if (has_head_)
        co_return head_;
    bool came = co_await read_head();
    if (!came) {
        drop();
        reused_ = cleared_ = false;
        send_error_ = 0;
        co_await connect();
        co_await send_now();
        (void)co_await read_head();
    }
    has_head_ = true;
    begin_body();
    co_return head_;
}

// False when there is none, and the request is to be repeated.
task<bool> exchange::read_head()
{
    for (int interim = 0; interim < interim_max; ++interim) {
        parsed said{};
        try {
            said = co_await parse_head();
        } catch (const vk::error& e) {
            bool broken = e.code().value() == ECONNRESET || e.code().value() == EPIPE;
            if (!broken || !can_repeat())
                throw;
            co_return false;
        }
        if (said.state == parsed::incomplete) { // the stream has ended
            if (can_repeat())
                co_return false;
            raise(send_error_ ? send_error_ : EBADMSG, "the server closed without an answer");
        }
        if (said.state == parsed::refused)
            raise(EBADMSG, said.why);
        if (!head_.interim())
            co_return true;
        (void)io().take(head_.bytes());
    }
    raise(EBADMSG, "there are too many interim responses");
}

// Complete, refused, or incomplete: then the stream ended before it.
task<parsed> exchange::parse_head()
{
    response_parser parser;
    parsed said{};
    for (std::size_t wanted = 1;;) {
        std::string_view bytes;
        bool again = false;
        try {
            bytes = co_await io().look(wanted);
        } catch (const vk::error& e) {
            // It may be of a write. What came before that is in the socket still; and if there is nothing, the
            // socket says so once more.
            if (!is_of_stream(e) || std::exchange(cleared_, true))
                throw;
            again = true;
        }
        if (again) {
            io().clear();
            continue;
        }
        check_aborted();
        answered_ = answered_ || !bytes.empty();
        bool end = bytes.size() < wanted;
        said = end ? parser.parse_end(bytes, options().bounds, method_, head_)
                   : parser.parse(bytes, options().bounds, method_, head_);
        if (said.state == parsed::complete) {
            if (!head_.interim())
                keep_head(bytes);
            co_return said;
        }
        if (end || said.state == parsed::refused)
            co_return said;
        wanted = bytes.size() + 1;
    }
}

// The body is read over where the head lies: copy it, behind the connection in its page if there is room.
void exchange::keep_head(std::string_view bytes)
{
    constexpr std::size_t room = limits::page_bytes - sizeof(client::connection);
    std::size_t length = head_.bytes();
    char* copy = reinterpret_cast<char*>(connection_ + 1);
    if (length > room) {
        head_pages_ = process::current().heap().take(pages_for(length));
        copy = static_cast<char*>(head_pages_);
    }
    std::memcpy(copy, bytes.data(), length);
    head_.rebase(copy);
    surplus_ = bytes.size() > length;
    (void)io().take(length);
}

void exchange::begin_body()
{
    if (head_.status() == 101)
        raise(EBADMSG, "the server changes the protocol, which it was not asked for");
    if (head_.body_end() == body_end::length) {
        left_ = *head_.content_length();
        if (left_ > options().bounds.body_bytes)
            raise(EBADMSG, "the body is too long");
    }
    received_ =
        head_.body_end() == body_end::none || (head_.body_end() == body_end::length && left_ == 0);
}

// The body ends, and `left` bytes have come behind it.
void exchange::end_body(std::size_t left) noexcept
{
    received_ = true;
    surplus_ = left > 0;
}

// At least a byte, or nothing at the end of the stream.
task<std::string_view> exchange::look()
{
    auto bytes = co_await io().look(1);
    check_aborted();
    bool may_end = head_.body_end() == body_end::close;
    if (bytes.empty() && !may_end)
        raise(EBADMSG, "the body ended early"); // RFC 9112, 8
    co_return bytes;
}

void exchange::count_body(std::size_t bytes)
{
    received_bytes_ += bytes;
    if (received_bytes_ > options().bounds.body_bytes)
        raise(EBADMSG, "the body is too long");
}

task<std::string_view> exchange::part()
{
    VK_REQUIRE(has_head_);
    if (!rest_.empty())
        co_return std::exchange(rest_, {});
    while (!received_) {
        std::string_view bytes = co_await look();
        if (head_.body_end() == body_end::length) {
            auto data = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
            left_ -= data;
            if (left_ == 0)
                end_body(bytes.size() - data);
            co_return io().take(data);
        }
        if (head_.body_end() == body_end::close) {
            count_body(bytes.size());
            if (bytes.empty())
                end_body(0);
            co_return io().take(bytes.size());
        }
        chunk_decoder::step next = chunks_.next(bytes, options().bounds);
        if (next.state == chunk_decoder::step::refused)
            raise(EBADMSG, next.why);
        if (next.state == chunk_decoder::step::done)
            end_body(bytes.size() - next.skip);
        std::string_view taken = io().take(next.skip + next.data);
        if (next.data > 0)
            co_return taken.substr(next.skip);
    }
    co_return std::string_view();
}

task<std::size_t> exchange::read(std::span<char> to)
{
    std::size_t done = 0;
    while (done < to.size()) {
        std::string_view bytes = co_await part();
        if (bytes.empty())
            break;
        std::size_t count = std::min(bytes.size(), to.size() - done);
        std::memcpy(to.data() + done, bytes.data(), count);
        done += count;
        rest_ = bytes.substr(count);
    }
    co_return done;
}

} // namespace vk::http
