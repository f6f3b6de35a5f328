#pragma once

// socket_pair: two sockets of one process that are bound to each other, and a run around them.

#include "support/catch.hpp"

#include <vk/io/socket.hpp>
#include <vk/proc/run_local.hpp>
#include <vk/proc/spawn.hpp>
#include <vk/proc/yield.hpp>

#include <string>
#include <utility>

namespace vk::test {

using pair_body = task<> (*)(socket& a, socket& b);

namespace detail {

inline task<> run_pair(pair_body body)
{
    process& here = process::current();
    std::size_t pages = here.heap().pages_used();
    {
        socket a;
        socket b;
        bind(a, b);
        co_await body(a, b);
    }
    CHECK(here.heap().pages_used() == pages);
    CHECK(here.shared().blocks.lent() == 0);
}

} // namespace detail

/// Run `body` on a pair; afterwards no page and no block is missing.
inline void with_pair(pair_body body, const local_options& options = {})
{
    run_local(options, detail::run_pair, body);
}

/// Text of `bytes` bytes that does not repeat soon, without newlines.
inline std::string text_of(std::size_t bytes, unsigned salt = 0)
{
    std::string text(bytes, '\0');
    unsigned state = 12345 + salt;
    for (char& c : text) {
        state = state * 1'103'515'245 + 12'345;
        c = static_cast<char>('!' + (state >> 16) % 90);
    }
    return text;
}

/// A thread that reads `bytes` bytes, or to the end, and appends them to `to`.
inline task<> read_into(socket* from, std::size_t bytes, std::string* to)
{
    std::string text(bytes, '\0');
    std::size_t got = co_await from->read(std::span(text));
    text.resize(got);
    *to += text;
}

/// A thread that writes `text` and says so.
inline task<> write_from(socket* to, std::string text, bool* done)
{
    co_await to->write(text);
    *done = true;
}

} // namespace vk::test
