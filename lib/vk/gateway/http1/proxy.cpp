#include "vk/gateway/http1/proxy.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/gateway/http1/error.hpp"
#include "vk/gateway/http1/forwarding.hpp"
#include "vk/gateway/http1/request.hpp"
#include "vk/gateway/http1/response.hpp"
#include "vk/memory/heap_resource.hpp"
#include "vk/proc/spawn.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

namespace vk::http {
namespace {

// The address of the client, in `to`; empty if it has none, or has gone.
std::string_view host_of_client(const request& req, std::span<char, address::host_bytes_max> to)
{
    try {
        return address::of_peer(req.io().rx_fd()).host(to);
    } catch (const vk::error&) {
        return {};
    }
}

// How often the request may be passed on still, where it says so (RFC 9110, 7.6.2).
std::optional<std::uint64_t> forwards_left(const request& req) noexcept
{
    if (req.method() != method::options && req.method() != method::trace)
        return std::nullopt;
    std::string_view digits = req.field("Max-Forwards").value_or("");
    std::uint64_t left = 0;
    auto read = std::from_chars(digits.data(), digits.data() + digits.size(), left);
    bool is_number = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
    return is_number ? std::optional(left) : std::nullopt;
}

// RFC 9110, 7.6.3: the protocol in which the message came, and who received it.
constexpr std::array via{field{"Via", "1.0 mnvkd"}, field{"Via", "1.1 mnvkd"}};
static_assert(via[1].value.ends_with(proxy::name));

} // namespace

// A body that a thread of its own sends, while the answer may be on its way already: a server that answers as it
// reads would wait for its answer to be taken, and we for our body.
struct proxy::upload {
    request* from;
    exchange* to;
    std::string_view first; // of the body, which was read
    std::exception_ptr failure = nullptr;
    bool of_client = false; // it was the client's
};

task<> proxy::send_body(upload* what)
{
    try {
        std::string_view piece = what->first;
        while (!piece.empty()) {
            what->of_client = false;
            bool taken = co_await what->to->write(piece);
            if (!taken)
                co_return; // what the server answers says why
            what->of_client = true;
            piece = co_await what->from->read_piece();
        }
        what->of_client = false;
        co_await what->to->finish();
    } catch (...) {
        what->failure = std::current_exception();
        what->to->abort();
    }
}

task<> proxy::pass_on(request& req, response& res, const proxy& how)
{
    if (req.method() == method::connect)
        throw error(501, "tunnels are not made");
    auto left = forwards_left(req);
    if (left == 0) { // this server is the last that is asked
        if (req.method() == method::trace)
            throw error(501, "TRACE is not answered here");
        co_return co_await res.send();
    }
    std::array<field, 3> added{via[req.head().version_minor()]};
    std::size_t fields = 1;
    char host[address::host_bytes_max];
    if (std::string_view from = host_of_client(req, host); !from.empty())
        added[fields++] = {"X-Forwarded-For", from};
    char number[20];
    if (left) {
        auto end = std::to_chars(number, std::end(number), *left - 1).ptr;
        added[fields++] = {"Max-Forwards", {number, end}};
    }
    std::pmr::string room(heap_resource());
    client_request wanted;
    wanted.method = req.method_name();
    wanted.target = how.target_of(req, room);
    wanted.host = req.host();
    wanted.forwarded = req.fields();
    wanted.fields = std::span(added.data(), fields);

    exchange one(client::of_process(how.to_));
    upload body{&req, &one, {}};
    bool streamed = false;
    if (req.has_body()) {
        body.first = co_await req.read_piece();
        streamed = req.content_length() != body.first.size();
        if (!streamed)
            wanted.body = body.first;
        else if (auto length = req.content_length())
            wanted.length = *length;
        else
            wanted.chunked = true;
    }

    std::exception_ptr failure;
    std::optional<thread_handle> sending;
    try {
        co_await one.send(wanted);
        if (streamed)
            sending.emplace(spawn(send_body, &body));
        co_await pass_back(req, res, one);
    } catch (...) {
        failure = std::current_exception();
    }
    bool first_to_fail = body.failure != nullptr;
    bool of_client = first_to_fail && body.of_client;
    // The thread that sends refers to this frame: it ends first, whoever is cancelled meanwhile. Nothing here needs
    // memory, of which there may be none left.
    bool was_cancelled = false;
    if (sending)
        sending->cancel();
    while (sending && !sending->ended()) {
        try {
            co_await sending->join();
        } catch (const cancelled&) {
            was_cancelled = true;
        }
    }
    if (was_cancelled)
        thread::current().cancel(); // whoever blocks next is told
    if (failure)
        how.fail(first_to_fail ? body.failure : failure, of_client, res);
}

// The path and the query; without the prefix, if the path has it.
std::string_view proxy::target_of(const request& req, std::pmr::string& room) const
{
    std::string_view path = req.path();
    std::string_view query = req.query();
    std::string_view rest = path.substr(std::min(prefix_.size(), path.size()));
    if (path.starts_with(prefix_) && (rest.empty() || rest.front() == '/'))
        path = rest;
    bool rooted = path.starts_with('/') || path == "*";
    room.reserve(path.size() + query.size() + 2);
    if (!rooted)
        room += '/';
    room += path;
    if (!query.empty()) {
        room += '?';
        room += query;
    }
    return room;
}

task<> proxy::pass_back(const request& req, response& res, exchange& from)
{
    const response_head& head = co_await from.response();
    res.status(head.status());
    for (const field& one : head.fields())
        if (is_forwarded(one, head.fields()) && !ascii::equal(one.name, "date"))
            res.header(one.name, one.value);
    const field& received = via[head.version_minor()];
    res.header(received.name, received.value);
    // Of an answer to HEAD, or without content, the length is that of what was left out.
    bool has_body = head.body_end() != body_end::none;
    auto length = head.content_length();
    if (length && (has_body || req.method() == method::head))
        res.length(*length);
    co_await res.begin();
    while (has_body) {
        std::string_view part = co_await from.part();
        if (part.empty())
            break;
        co_await res.write(part);
    }
    co_await res.finish();
}

// The failure as an answer, if none has begun.
void proxy::fail(const std::exception_ptr& why, bool of_client, const response& res) const
{
    try {
        std::rethrow_exception(why);
    } catch (const cancelled&) {
        throw;
    } catch (const heap_exhausted&) {
        throw;
    } catch (const timed_out& e) {
        if (of_client || res.begun())
            throw;
        log::warn("no answer of {}: {}", to_.host, e.what());
        throw error(504, "The server behind did not answer in time.");
    } catch (const vk::error& e) {
        if (of_client || res.begun())
            throw;
        log::warn("no answer of {}: {}", to_.host, e.what());
        throw error(502, "The server behind did not answer.");
    }
}

} // namespace vk::http
