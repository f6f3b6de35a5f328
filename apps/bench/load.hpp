#pragma once

// load: the client side of a server under test, one thread on a core of its own.
//
// C connections, each with D requests in flight. Closed loop: a connection sends D requests by one
// write, waits for all D answers, sends again. Open loop: requests leave at a fixed rate whether or
// not answers came, and a latency counts from the time the request was *meant* to leave, so that a
// stall of the server (or of this generator) is seen by every request it delays, not by one (no
// coordinated omission). What a request is, and when its answer is whole, a dialogue knows.
//
// This thread limits every server alike, so it is kept cheap: requests are composed once; a write
// and a read for each batch; SO_RCVLOWAT wakes it when the last answer of a batch is there;
// edge-triggered epoll, each fd registered once; no EAGAIN is ever provoked.
//
// Everything ends: a server that stops answering is a load_error after some seconds.

#include "bench/dialogue.hpp"
#include "bench/measurement.hpp"
#include "bench/server.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace vk::bench {

class hogs;

/// Owns its connections: opened by the constructor, reset (no TIME_WAIT) by the destructor. A
/// connection that is never used further is an idle one.
class load {
public:
    /// Opens `connections`, each of which sends one request and reads its answer. Throws
    /// load_error.
    load(endpoint server, const traffic& kind, int connections, int depth);
    ~load();
    load(const load&) = delete;
    load& operator=(const load&) = delete;

    /// Never sleep while waiting for answers: spares the server the wake-up of this core.
    void spin(bool on) noexcept { spin_ = on; }

    load_result closed_loop(span_of_time time);

    /// As closed_loop(), until `requests` have been answered, without warm-up.
    load_result closed_loop_requests(std::uint64_t requests);

    /// `rate`: requests a second over all connections.
    load_result open_loop(double rate, span_of_time time);

    /// As open_loop(), for a server that may not keep up: for its time alone, with `depth` requests
    /// in flight on a connection at most. What is answered while measuring counts, whenever it was
    /// meant to leave; what has no answer at the end is given up, and its age is its latency.
    /// `beside`, if any, has a turn after each of this one's, and is stopped at the end.
    load_result offer(double rate, span_of_time time, hogs* beside = nullptr);

    const dialogue& words() const noexcept { return *dialogue_; }

private:
    struct connection {
        int fd = -1;
        int low_water_bytes = 1;
        std::uint32_t number = 0;
        std::uint64_t sent = 0;     // requests, in this run
        std::uint64_t answered = 0; // of them; answered <= sent
        std::uint64_t due = 0;      // requests that should have left (open loop)
        std::int64_t sent_at = 0;   // closed loop: when the batch left
    };

    void open(connection& c);
    void first_request(connection& c);
    void begin(std::size_t together, std::size_t low_water_bytes);
    void low_water(connection& c, std::size_t bytes);
    std::size_t send(connection& c, std::size_t requests);
    void send_batch(connection& c, std::int64_t now);
    bool receive(connection& c);
    std::size_t receive_once(connection& c);
    void on_batch(connection& c);
    void on_requests(connection& c);
    void begin_open(double rate, std::size_t window);
    std::int64_t meant(const connection& c, std::uint64_t request) const;
    void order(std::int64_t now, std::uint64_t end);
    void order_and_send(std::int64_t now, std::uint64_t end);
    bool take_answers();
    void pump(connection& c);
    void give_up(std::int64_t now);
    void drain();
    load_result run_closed(span_of_time time, std::uint64_t requests_max);
    bool in_flight() const noexcept { return sent_ != answered_; }

    endpoint server_;
    std::size_t depth_;
    std::unique_ptr<dialogue> dialogue_;
    bool spin_ = false;
    int epoll_ = -1;
    std::vector<connection> connections_;
    std::vector<char> buffer_; // what was received last

    std::uint64_t sent_ = 0; // requests, all connections, in this run
    std::uint64_t answered_ = 0;
    std::uint64_t left_ = 0; // requests that are yet to be answered

    // Open loop: from one request to the next, how many may be in flight on a connection, how many
    // were due, and from when on one that is due counts.
    double interval_ns_ = 0;
    std::size_t window_ = 0;
    std::uint64_t ordered_ = 0;
    std::int64_t counts_from_ = 0;

    std::optional<measurement> run_;
};

} // namespace vk::bench
