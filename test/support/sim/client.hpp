#pragma once

// client: a peer of the program, played by the world from a script.
//
// A script is a list of steps, each taken when the one before it is done. Beside its script a client reads
// all that comes, a latency after it came, unless told otherwise. A script that cannot go on, because the
// connection has ended, is given up: the client closes, done() is true and completed() is not.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/sim/socket.hpp"

namespace vk::sim {

class world;

class client final : public watcher {
public:
    using nanoseconds = std::chrono::nanoseconds;

    /// How the program's direction of the connection ended, as far as this client has read.
    enum class ending { none, eof, reset, refused };

    client(world& in, std::string name);
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    // --- the script ---------------------------------------------------------------------------------

    /// Wait; or wait until a time from the start of the world.
    client& after(nanoseconds pause);
    client& at(nanoseconds since_start);

    /// Connect to a listener of the program ("127.0.0.1:80", "unix:/path"; the first there is without an
    /// address), waiting for one to appear if none has existed yet. Refused if it is closed again.
    client& connect(std::string address = {});

    /// Wait for the program to connect to this address; of several clients, the one that was told so first.
    client& accept(std::string address);

    /// Be what the program's standard input and output are connected to, from the start.
    client& standard_io();

    /// Send, as one segment; or in pieces of `each` bytes, `gap` apart; or in pieces and at times of the
    /// seed.
    client& send(std::string bytes);
    client& send_cut(std::string_view bytes, std::size_t each, nanoseconds gap = nanoseconds{0});
    client& send_random(std::string_view bytes, nanoseconds gap_max = std::chrono::milliseconds{1});

    /// Wait for `bytes` more, for a line more, for the end of the stream.
    client& receive(std::size_t bytes);
    client& receive_line();
    client& receive_end();

    /// End the own direction; close both; reset.
    client& half_close();
    client& close();
    client& reset();

    /// Read nothing from here on, so that the window fills; read again; read at most `each` bytes at a
    /// time, `gap` apart.
    client& stop_reading();
    client& read_on();
    client& read_slowly(std::size_t each, nanoseconds gap);

    /// How many bytes it takes in without reading them. Not a step: it holds for the whole connection.
    client& window(std::size_t bytes);

    /// Anything else. It must not throw: it runs inside a system call of the program.
    client& then(std::function<void(client&)> act);

    // --- what came of it ----------------------------------------------------------------------------

    const std::string& name() const noexcept { return name_; }
    const std::string& received() const noexcept { return received_; }
    const std::string& sent() const noexcept { return sent_; }
    ending ended() const noexcept { return ended_; }

    /// Its script has come to an end, or was given up.
    bool done() const noexcept { return given_up_ || position_ == steps_.size(); }

    /// Its script has come to its end.
    bool completed() const noexcept { return !given_up_ && position_ == steps_.size(); }

    // --- for the world ------------------------------------------------------------------------------

    void woken(std::uint32_t bits) override;

    /// It is connected now.
    void established(std::shared_ptr<file> input, std::shared_ptr<file> output);
    std::size_t window() const noexcept { return window_; }

    /// Take the first steps.
    void begin();

    /// Break its connection, whatever its script says.
    void abort();

private:
    /// A step says whether it is done; it is asked again after everything that happens to the client.
    using step = std::function<bool()>;

    /// A step that begins something, and is done when that calls back.
    using beginning = std::function<void(std::function<void()> done)>;

    client& add(step take);
    client& add_act(std::function<void()> act);
    client& add_wait(beginning begin);
    void advance();
    void try_connect(const std::string& address, std::function<void()> done);
    bool try_send(const std::string& bytes, std::size_t& position);
    bool has_come(std::size_t end);
    void schedule_pump(nanoseconds pause);
    void pump();
    bool read_some();
    void note_end(ending how);
    void give_up();
    void hang_up();
    std::shared_ptr<socket> connection() const noexcept;

    world& world_;
    std::string name_;
    std::vector<step> steps_;
    std::size_t position_ = 0;
    bool advancing_ = false;
    bool given_up_ = false;
    bool told_done_ = false;

    std::shared_ptr<file> input_; // the same as output_, for a socket
    std::shared_ptr<file> output_;
    std::size_t window_;
    bool pump_due_ = false;
    bool reading_ = true;
    std::size_t read_each_ = std::numeric_limits<std::size_t>::max();
    nanoseconds read_gap_{0};

    std::string received_;
    std::string sent_;
    std::size_t consumed_ = 0; // of received_, by the steps that waited for it
    ending ended_ = ending::none;
};

} // namespace vk::sim
