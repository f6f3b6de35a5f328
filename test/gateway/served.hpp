#pragma once

// served: what an HTTP server answers to a script, which comes in given pieces over a pair of bound sockets.

#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/gateway/http1/connection.hpp>
#include <vk/gateway/http1/date.hpp>
#include <vk/gateway/http1/error.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vk::http::test {

/// What a test waits for at most, that waits for nothing.
inline settings quick_settings()
{
    settings made;
    made.header_timeout = made.transfer_timeout = made.idle_timeout = std::chrono::seconds(5);
    return made;
}

struct script {
    std::vector<std::string>
        pieces; ///< each is sent when the one before was taken, and has had its effect
    handler answer;
    settings how = quick_settings();
    std::size_t heap_pages = 256;
    bool ends = true; ///< the client ends its side behind the last piece
};

struct outcome {
    std::string text;    ///< what the client got up to the end, each date as "Date: *"
    std::string failure; ///< what escaped the service; empty when nothing did
    std::size_t pages;   ///< that the heap had in use at most
};

namespace detail {

struct scene {
    const script* what;
    site served;
    outcome came{};
};

inline task<> send_pieces(socket* to, const script* what)
{
    try {
        for (const std::string& piece : what->pieces) {
            co_await to->write(piece);
            co_await to->flush();
            for (int turn = 0; turn < 3; ++turn)
                co_await yield();
        }
        if (what->ends)
            co_await to->tx_close();
    } catch (const vk::error&) {
        // the server ended before it took all
    }
}

inline task<> keep_all(socket* from, std::string* to)
{
    for (;;) {
        std::string_view bytes = co_await from->look(1);
        if (bytes.empty())
            co_return;
        *to += from->take(bytes.size());
    }
}

inline task<> serve_one(socket* io, scene* all)
{
    std::exception_ptr failure;
    try {
        task<> serving = serve_connection(*io, all->served);
        co_await std::move(serving);
    } catch (...) {
        failure = std::current_exception();
    }
    try {
        co_await io->flush();
        if (failure)
            std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        all->came.failure = e.what();
    } catch (...) {
        all->came.failure = "not a std::exception";
    }
}

inline task<> run_scene(scene& all)
{
    process& here = process::current();
    std::size_t pages = here.heap().pages_used();
    {
        socket client;
        std::optional<socket> server(std::in_place);
        bind(*server, client);
        thread_handle sending = spawn(send_pieces, &client, all.what);
        thread_handle keeping = spawn(keep_all, &client, &all.came.text);
        task<> serving = serve_one(&*server, &all);
        co_await std::move(serving);
        server.reset();
        co_await keeping.join();
        co_await sending.join();
    }
    CHECK(here.heap().pages_used() == pages);
    CHECK(here.shared().blocks.lent() == 0);
    all.came.pages = here.heap().pages_high_water();
}

inline std::string without_dates(std::string text)
{
    constexpr std::string_view name = "Date: ";
    for (std::size_t at = 0; (at = text.find(name, at)) != text.npos;) {
        at += name.size();
        CHECK(read_date(std::string_view(text).substr(at, date_bytes)));
        text.replace(at, date_bytes, "*");
    }
    return text;
}

} // namespace detail

/// What is answered to `what`; afterwards no page and no block is missing.
inline outcome served(const script& what)
{
    detail::scene all{&what, {what.answer, what.how}};
    run_local({.heap_pages = what.heap_pages}, detail::run_scene, all);
    all.came.text = detail::without_dates(std::move(all.came.text));
    return all.came;
}

/// What is answered to `bytes` in one piece, when nothing may fail.
inline std::string answers(std::string bytes, handler answer)
{
    outcome came = served({.pieces = {std::move(bytes)}, .answer = answer});
    CHECK(came.failure == "");
    return came.text;
}

/// The body of the last answer in `text` whose head has a Content-Length.
inline std::string last_body(const std::string& text)
{
    std::size_t at = text.rfind("\r\n\r\n");
    return at == text.npos ? "no head: " + text : text.substr(at + 4);
}

inline bool has(std::string_view text, std::string_view part)
{
    return text.find(part) != text.npos;
}

inline std::size_t count(std::string_view text, std::string_view part)
{
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size())
        ++found;
    return found;
}

} // namespace vk::http::test
