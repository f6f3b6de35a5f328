#pragma once

// socket: one end of a simulated stream socket, or a listener; the program's and the peers' alike.
//
//     fresh --listen--> listening
//     fresh --connect--> connecting --> connected (or refused: dead)
//     connected --reset received--> dead
//
// Each end owns the queue of the bytes it has received, so that `send` puts into the peer's queue, and what
// was sent can be read after the sender has closed. The order of the checks follows Linux (tcp_poll,
// tcp_recvmsg_locked, tcp_sendmsg_locked, tcp_fin, tcp_reset; for unix sockets unix_release_sock), because
// what a program sees in a corner is that order:
//
// 1. Bytes come before an end, and an end (seen FIN) before an error.
// 2. An error is reported once, by whichever call comes first.
// 3. Closing with unread bytes resets the peer; writing to a peer that has closed is answered by a reset,
//    a network's way later.
// 4. A writer that found no room is told when a third of the queue is free, others are not told.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <sys/socket.h>

#include "support/sim/byte_queue.hpp"
#include "support/sim/file.hpp"

namespace vk::sim {

class client;

class socket final : public file, public std::enable_shared_from_this<socket> {
public:
    enum class state : std::uint8_t { fresh, connecting, listening, connected, dead };

    /// What happens later, over the network: run by the world after its latency.
    using network = std::function<void(std::function<void()>)>;

    socket(int family, std::size_t capacity, network later);

    /// Make two ends of one connection.
    static void join(const std::shared_ptr<socket>& one, const std::shared_ptr<socket>& other);

    target kind() const noexcept override;
    std::uint32_t readiness() override;
    ssize_t read(const iovec* parts, int count) override;
    ssize_t write(const iovec* parts, int count) override;
    void close() override;

    int shutdown(int how);
    int take_error() noexcept { return std::exchange(error_, 0); }

    /// A write now would raise SIGPIPE.
    bool broken() const noexcept { return write_shut_ && (error_ == 0 || error_ == EPIPE); }

    /// The connection breaks: the peer sees a reset. What this end sees is `own_error`.
    void sever(int own_error);

    /// A connection that was asked for by connect() did not come to be.
    void refuse(int error);

    /// Wait for a peer.
    void start_connecting() noexcept
    {
        state_ = state::connecting;
        announced_ = false;
    }

    /// Once after connecting in the background: another connect() says that it has succeeded.
    bool announce() noexcept { return !std::exchange(announced_, true); }

    // Listener.
    void start_listening(int backlog);
    bool backlog_full() const noexcept { return backlog_.size() >= backlog_max_; }
    bool has_pending() const noexcept { return !input_stalled() && !backlog_.empty(); }
    void offer(std::shared_ptr<socket> end);
    std::shared_ptr<socket> take_pending();

    /// Call `then` once there is room for another connection.
    void when_room(std::function<void()> then) { waiting_.push_back(std::move(then)); }

    state at() const noexcept { return state_; }
    int family() const noexcept { return family_; }
    std::shared_ptr<socket> peer() const noexcept { return peer_.lock(); }
    byte_queue& received() noexcept { return received_; }
    bool ended() const noexcept { return read_shut_ || fin_; }
    bool reset() const noexcept { return state_ == state::dead; }
    std::size_t room_at_peer() const noexcept;

    /// Whose end this is, if it is a client's.
    client* owner = nullptr;

    /// Where it is bound ("127.0.0.1:80", "unix:/path"), and the same as bytes.
    std::string bound;
    sockaddr_storage address{};

    std::map<std::pair<int, int>, int> options;

private:
    bool has_input() const noexcept { return !input_stalled() && !received_.empty(); }
    bool sees_end() const noexcept { return read_shut_ || (fin_ && !input_stalled()); }
    bool writable() noexcept;

    /// Both directions have ended in good order: nothing can go wrong any more.
    bool over() const noexcept { return family_ != AF_UNIX && write_shut_ && fin_; }

    /// Both directions shut by this end: TCP answers further data with a reset, as if it were closed.
    bool done_with_data() const noexcept { return family_ != AF_UNIX && read_shut_ && write_shut_; }
    ssize_t no_input();
    void freed_room();
    void receive_end();
    void receive_reset(int error);
    void end_peer();

    const int family_;
    state state_ = state::fresh;
    byte_queue received_;
    network later_;

    std::weak_ptr<socket> peer_; // expired once the peer has closed
    int error_ = 0;
    bool announced_ = true;
    bool fin_ = false; // the peer has ended its direction
    bool read_shut_ = false;
    bool write_shut_ = false;
    bool wants_room_ = false; // a write found no room (SOCK_NOSPACE)

    std::size_t backlog_max_ = 0;
    std::deque<std::shared_ptr<socket>> backlog_;
    std::deque<std::function<void()>> waiting_;
};

} // namespace vk::sim
