#pragma once

// churn: the client side of a server under test, with a connection for each request.
//
// C connections at a time: connect, one request, its whole answer, the end, and the next. It waits
// for the server's end where the answer says `Connection: close`, and ends the connection itself
// where it does not; either way by a reset, so that no TIME_WAIT uses up the ports. A latency is from
// connect to the whole answer.

#include "bench/dialogue.hpp"
#include "bench/measurement.hpp"
#include "bench/server.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace vk::bench {

/// Owns its connections, as load does.
class churn {
public:
    churn(endpoint server, const traffic& kind, int connections);
    ~churn();
    churn(const churn&) = delete;
    churn& operator=(const churn&) = delete;

    /// Throws load_error.
    load_result closed_loop(span_of_time time);

private:
    struct connection {
        int fd = -1;
        std::size_t number = 0;
        bool asked = false;
        bool answered = false;
        std::int64_t began = 0;
    };

    void open(connection& c);
    void ask(connection& c);
    bool receive(connection& c);
    void wake(connection& c, measurement& run);
    void close(connection& c);

    endpoint server_;
    std::unique_ptr<dialogue> dialogue_;
    int epoll_ = -1;
    std::size_t open_ = 0;
    std::uint64_t answered_ = 0;
    std::vector<connection> connections_;
    std::vector<char> buffer_;
};

} // namespace vk::bench
