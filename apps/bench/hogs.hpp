#pragma once

// hogs: clients that never stop asking, and never wait for an answer.
//
// They share the thread of a load, of which each turn is followed by a turn of one hog: one send of
// many requests, and one receive that throws the answers away uncopied. That is so little that the
// load is not late by it (load_result::turn says by how much), while a server cannot keep up. A
// thread of their own was rejected: on one core the system would run it for milliseconds at a time,
// and the load would measure that.

#include "bench/dialogue.hpp"
#include "bench/server.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vk::bench {

/// Owns its connections.
class hogs {
public:
    /// `words`: what they say; it has seen an answer. Throws load_error.
    hogs(endpoint server, const dialogue& words, int count);
    ~hogs();
    hogs(const hogs&) = delete;
    hogs& operator=(const hogs&) = delete;

    /// One hog, each in turn: what the server takes, and what it answered. Never blocks. Throws
    /// load_error when the server ended the connection.
    void turn();

    /// Reset the connections.
    void stop() noexcept;

    /// Answers of one second, from the first turn to stop().
    double per_second() const noexcept;

private:
    struct connection {
        int fd = -1;
        std::size_t sent = 0; // of requests_, from its beginning
    };

    void receive(connection& c);
    void send(connection& c);

    std::string requests_;
    std::size_t answer_bytes_;
    std::vector<connection> connections_;
    std::size_t next_ = 0;
    std::uint64_t received_bytes_ = 0;
    std::int64_t began_ = 0;
    std::int64_t ended_ = 0;
};

} // namespace vk::bench
