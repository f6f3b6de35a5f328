#pragma once

// client: requests to another server.
//
//     http::upstream there("127.0.0.1:9000");            // outside of the processes: where, and how
//
//     http::client client(there);                        // for each process: its idle connections
//     http::exchange get(client);                        // for each request
//     http::client_request wanted{.target = "/hello"};
//     co_await get.send(wanted);
//     auto& head = co_await get.response();
//     for (;;) {
//         auto part = co_await get.part();               // of the body, where it lies
//         if (part.empty())
//             break;
//         ...
//     }
//
// An exchange takes an idle connection if there is one that the server has not closed, or makes one. It gives it
// back when it ends, if both messages are complete and the server keeps it; closes it otherwise.
//
// A server may close an idle connection at any time, also while a request is under way to it. So a request that was
// sent on a used connection and got no byte of an answer is sent again, once, on a fresh one, if that can do no
// harm: if the method is idempotent and the body at hand (RFC 9110, 9.2.2).
//
// What is thrown: what outgoing::connect() throws; vk::error with what the system says of the connection; timed_out;
// cancelled; and vk::error (EBADMSG), with a sentence, when what came is no response, or not a whole one.

#include "vk/gateway/http1/chunk_decoder.hpp"
#include "vk/gateway/http1/response_head.hpp"
#include "vk/service/outgoing.hpp"

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vk::http {

struct client_options {
    /// To connect.
    std::chrono::milliseconds connect_timeout{2'000};

    /// Ends an operation in which no byte moves for so long.
    std::chrono::milliseconds timeout{30'000};

    /// Connections kept for the next request, in each process, and for how long.
    unsigned idle_max = 4;
    std::chrono::milliseconds idle_timeout{30'000};

    /// What is taken of a response: its head, its body, the lines of its chunks.
    http::bounds bounds{.body_bytes = std::numeric_limits<std::uint64_t>::max()};
};

/// A server to send requests to. Made before serving; processes share it.
struct upstream {
    /// `text` is an address, as address::parse() reads it; it is the Host too. Throws vk::error (EINVAL).
    explicit upstream(std::string_view text, const client_options& how = {});

    address at;
    std::string host;
    client_options options;
};

/// What to ask for. What it refers to must stay good until exchange::response() has returned.
struct client_request {
    std::string_view method = "GET";
    std::string_view target = "/";

    /// Empty for the upstream's.
    std::string_view host = {};

    /// Fields of another message, of which those are sent that are not for its connection alone.
    http::fields forwarded = {};

    /// More fields, behind those: none that concern the connection (is_of_connection()).
    std::span<const field> fields = {};

    /// The body, if it is at hand. Otherwise exchange::write() writes it: `length` bytes, or as many as it has if
    /// `chunked`.
    std::string_view body = {};
    std::optional<std::uint64_t> length = {};
    bool chunked = false;

    bool streamed() const noexcept { return length.has_value() || chunked; }
};

/// The idle connections of a process to one upstream. It outlives its exchanges.
class client {
public:
    explicit client(const upstream& where) noexcept : owner_(&process::current()), where_(&where) {}
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    /// The one of the process that runs, which makes it at the first call and keeps it until it ends: connections
    /// then outlast the request that made them. Throws heap_exhausted.
    static client& of_process(const upstream& where);

    const upstream& where() const noexcept { return *where_; }

    /// Connections kept.
    unsigned idle() const noexcept { return idle_count_; }

    /// Close those.
    void close_idle() noexcept;

private:
    friend class exchange;

    // In a page of the heap; what it leaves of it is for the head of a response.
    struct connection : boost::intrusive::list_base_hook<> {
        outgoing stream;
        nanoseconds idle_since = 0;
    };

    connection& make();
    connection* take_idle() noexcept;
    void give_back(connection& one) noexcept;
    void drop(connection& one) noexcept;

    process* owner_;
    const upstream* where_;
    boost::intrusive::list<connection, boost::intrusive::constant_time_size<false>> idle_;
    unsigned idle_count_ = 0;
};

/// One request and its response. One thread may write the request while another reads the response.
class exchange {
public:
    explicit exchange(client& from) noexcept : from_(&from) {}
    ~exchange();
    exchange(const exchange&) = delete;
    exchange& operator=(const exchange&) = delete;

    /// Have a connection, and send the head and the body that is at hand. Once. Throws vk::error (EINVAL) for a request
    /// that cannot be sent as it is. Suspends to connect, and while the server takes no more. A server that breaks off is no error yet: it may have answered.
    task<> send(const client_request& what);

    /// Send `part` of a streamed body; all of it stays within the length that was promised. False when the server takes
    /// no more: see what it answers.
    task<bool> write(std::string_view part);

    /// A streamed body is complete.
    task<> finish();

    /// Wait for the head of the final response; interim ones are skipped. It stays good as long as the exchange.
    task<const response_head&> response();

    /// The next bytes of the response's body, where they lie; empty at its end. Good until the next call. After response().
    task<std::string_view> part();

    /// Read until `to` is full or the body ends; returns the bytes read. After response().
    task<std::size_t> read(std::span<char> to);

    /// Break off: who waits for the response, or its body, gets an error (ECONNABORTED).
    void abort() noexcept;

    /// Whether the response's body has ended.
    bool ended() const noexcept { return received_; }

    /// Whether the connection was used before.
    bool reused() const noexcept { return reused_; }

private:
    socket& io() noexcept { return connection_->stream.io(); }
    const client_options& options() const noexcept { return from_->where().options; }

    task<> connect();
    task<> send_now();
    task<> write_request();
    task<> write_fields();
    task<bool> send_some(std::string_view part);
    void note_break(const vk::error& e);
    void check_aborted() const;
    task<bool> read_head();
    task<parsed> parse_head();
    task<std::string_view> look();
    void keep_head(std::string_view bytes);
    void begin_body();
    void end_body(std::size_t left) noexcept;
    void count_body(std::size_t bytes);
    bool can_repeat() const noexcept;
    void drop() noexcept;

    client* from_;
    client::connection* connection_ = nullptr;
    const client_request* what_ = nullptr;

    // The request.
    method method_ = method::other;
    bool reused_ = false;
    bool sent_ = false;         // the request is complete
    int send_error_ = 0;        // what broke it off
    std::uint64_t to_send_ = 0; // of a streamed body of known length

    // The response.
    bool answered_ = false; // a byte of it has come
    bool cleared_ = false;
    bool has_head_ = false;
    bool received_ = false; // it is complete
    bool surplus_ = false;  // and more has come
    bool aborted_ = false;
    response_head head_;
    chunk_decoder chunks_;
    std::uint64_t left_ = 0; // of a body of known length
    std::uint64_t received_bytes_ = 0;
    std::string_view rest_;      // of the part that read() began
    void* head_pages_ = nullptr; // when it is larger than the connection's page leaves room for
};

} // namespace vk::http
