#pragma once

// load: the client side of an echo server under test, one thread on a core of its own.
//
// C connections, each with D lines of 64 bytes in flight. Closed loop: a connection sends D lines
// by one write, waits for all D answers, sends again. Open loop: lines leave at a fixed rate
// whether or not answers came, and a latency counts from the time the line was *meant* to leave, so
// that a stall of the server (or of this generator) is seen by every line it delays, not by one (no
// coordinated omission).
//
// This thread limits every server alike, so it is kept cheap: lines are composed once; a write and
// a read for each batch; SO_RCVLOWAT wakes it when the last answer of a batch is there;
// edge-triggered epoll, each fd registered once; no EAGAIN is ever provoked. Answers are compared
// with what was sent, byte for byte.
//
// Everything ends: a server that stops answering is a load_error after some seconds.

#include "bench/histogram.hpp"
#include "bench/server.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace vk::bench {

inline constexpr std::size_t line_bytes = 64;

/// The server answered wrongly, not at all, or could not be reached.
struct load_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct span_of_time {
    double warm_up_s = 0.2;
    double measured_s = 1;
};

struct load_result {
    std::uint64_t lines = 0;    // answered while measuring
    std::uint64_t answered = 0; // answered at all, from the first to the last
    double seconds = 0;         // how long measuring was
    double server_cpu_s = 0;    // CPU time of the server in it
    histogram latency;          // of a batch (closed loop) or of a line (open loop)

    double lines_per_second() const
    {
        return seconds > 0 ? static_cast<double>(lines) / seconds : 0;
    }
    double server_ns_per_line() const
    {
        return lines > 0 ? server_cpu_s * 1e9 / static_cast<double>(lines) : 0;
    }
    double server_busy() const { return seconds > 0 ? server_cpu_s / seconds : 0; }
};

/// Owns its connections: opened by the constructor, reset (no TIME_WAIT) by the destructor. A
/// connection that is never used further is an idle one.
class load {
public:
    /// Opens `connections`, each of which sends one line and reads its answer. Throws load_error.
    load(endpoint server, int connections, int depth);
    ~load();
    load(const load&) = delete;
    load& operator=(const load&) = delete;

    /// Never sleep while waiting for answers: spares the server the wake-up of this core.
    void spin(bool on) noexcept { spin_ = on; }

    load_result closed_loop(span_of_time time);

    /// As closed_loop(), until `lines` have been answered, without warm-up.
    load_result closed_loop_lines(std::uint64_t lines);

    /// `rate`: lines a second over all connections.
    load_result open_loop(double rate, span_of_time time);

private:
    struct connection {
        int fd = -1;
        std::uint32_t number = 0;
        std::uint64_t sent = 0;     // bytes, in this run
        std::uint64_t received = 0; // bytes, in this run; received <= sent
        std::uint64_t due = 0;      // lines that should have left (open loop)
        std::int64_t sent_at = 0;   // closed loop: when the batch left
    };

    enum class phase { warming, measuring, draining };

    void open(connection& c);
    void first_line(connection& c);
    void begin(int low_water_bytes, std::size_t cycle_lines);
    void send_lines(connection& c, std::size_t lines);
    std::size_t receive(connection& c);
    void verify(connection& c, std::size_t bytes);
    int wait(int timeout_ms);
    void enter(phase next, std::int64_t now);
    void on_batch(connection& c);
    void on_lines(connection& c);
    void pump(connection& c);
    load_result run_closed(span_of_time time, std::uint64_t lines_max);
    const char* lines_of(const connection& c) const noexcept;
    bool in_flight() const noexcept { return sent_ != received_; }

    endpoint server_;
    std::size_t depth_;
    bool spin_ = false;
    int epoll_ = -1;
    std::vector<connection> connections_;
    std::vector<char> lines_;
    std::vector<char> buffer_; // what was received last
    std::size_t cycle_bytes_ =
        0; // a connection sends its lines over and over: byte b is lines[b % cycle]

    phase phase_ = phase::warming;
    std::uint64_t sent_ = 0; // bytes, all connections, in this run
    std::uint64_t received_ = 0;
    std::uint64_t lines_left_ = 0;
    double interval_ns_ = 0;  // open loop: from one line to the next
    std::int64_t origin_ = 0; // open loop: when line 0 was meant to leave
    std::int64_t phase_began_ = 0;
    std::int64_t cpu_began_ = 0;
    load_result result_;
};

} // namespace vk::bench
