#pragma once

// socket: a thread's bidirectional stream.
//
// Two rings, rx and tx, and a pipe at each side. Reads and writes look as if they blocked; each is an awaiter,
// not a coroutine, whose await_ready is served by the rings and suspends only when they cannot.
//
// Output is flushed when asked, when the tx ring is full, and at the end of the dispatch
// (process::dispatch), so that the answers to a pipelined batch leave in one write. Nothing needs to be
// flushed by hand before waiting for input.
//
// Ends and errors. The end of the stream is a value: a short count, an empty optional. A reset or a broken
// pipe is a vk::error with the errno of the system call; that of the input stays until clear(), that of the
// output for good.
// A deadline (set_timeout) ends an operation by vk::timed_out, cancellation by vk::cancelled; the bytes that
// were written before stay so, and those that were read are there for the next read.
//
// Between two sockets (bind) a hang-up is a message boundary: hup() flushes, marks the end and waits until
// the reader took it with read_hup(); the stream then goes on.

#include "vk/base/error.hpp"
#include "vk/io/buffer.hpp"
#include "vk/io/pipe.hpp"
#include "vk/proc/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <source_location>
#include <span>
#include <string_view>
#include <utility>

namespace vk {

class read_awaiter;
class readline_awaiter;
class poll_read_awaiter;
class look_awaiter;
class write_awaiter;
class flush_awaiter;
class send_file_awaiter;
class splice_awaiter;
class hup_awaiter;
class read_hup_awaiter;
class ready_awaiter;

/// What of a file is to be sent.
struct file_part {
    std::uint64_t offset;
    std::uint64_t bytes;
};

/// A format string that knows where it stands.
template <class... Args>
struct located_format {
    template <class Text>
    consteval located_format(const Text& pattern,
                             std::source_location here = std::source_location::current())
        : text(pattern), where(here)
    {
    }

    fmt::format_string<Args...> text;
    std::source_location where;
};

class socket : private chore {
public:
    using location = std::source_location;

    /// For write_splice() and forward(): to the end of the stream.
    static constexpr std::uint64_t everything = ~std::uint64_t{0};

    /// A socket of `owner` that is not bound to anything yet.
    explicit socket(process& owner = process::current()) noexcept;

    /// A socket that reads `in` and writes `out`, which may be one and must outlive it. Their fds stay the
    /// kernel's.
    socket(descriptor& in, descriptor& out, process& owner = process::current()) noexcept;

    /// Drops what was not read; what was not written is offered to the pipe once, without blocking. A thread that is
    /// blocked on it then is the caller's bug, and aborts the program. A socket bound to it is at the end of its
    /// input, and its writes throw EPIPE.
    ~socket();
    socket(const socket&) = delete;
    socket& operator=(const socket&) = delete;

    /// Bind two sockets of one process to each other: each reads what the other writes. One that is bound already, or
    /// of another process, is the caller's bug.
    friend void bind(socket& a, socket& b) noexcept;

    // --- input

    /// Read until `to` is full or the stream ends; returns the bytes read, short only at the end. Suspends
    /// while neither is the case. A read that ends early, or fails, has taken nothing: it is all
    /// there for the next. (Should there be no memory to keep it, that fails by ENOBUFS.)
    [[nodiscard]] read_awaiter read(std::span<std::byte> to, location where = location::current());
    [[nodiscard]] read_awaiter read(std::span<char> to, location where = location::current());

    /// The next line with its newline; the last line may lack it; empty at the end of the stream. The view is
    /// good until the next read operation on this socket, suspensions in between included. A line that
    /// outgrows the ring takes pages of the heap; throws heap_exhausted when there are none left.
    [[nodiscard]] readline_awaiter readline(location where = location::current());

    /// Wait for at least a byte and return how many can be read without blocking; 0 at the end of the stream.
    /// Consumes none.
    [[nodiscard]] poll_read_awaiter poll_read(location where = location::current());

    /// Wait until at least `bytes` bytes are there, or the end of the stream, and view all that is there, in one
    /// piece. Consumes none: take() does. The view is good until the next read operation. More than the ring
    /// holds takes pages of the heap; throws heap_exhausted when there are none left.
    [[nodiscard]] look_awaiter look(std::size_t bytes, location where = location::current());

    /// What look() would show now, without waiting: nothing when there is nothing in the ring.
    std::string_view glance() noexcept
    {
        rx_.release();
        return rx_.whole();
    }

    /// Consume `bytes` bytes of what look() showed. They stay in place until the next read operation.
    std::string_view take(std::size_t bytes) noexcept { return rx_.hold(bytes); }

    /// Take as input what was written to `writer`, a socket of this process whose output is not bound elsewhere, as this
    /// one's input is not: at least a byte, and what there is room for. Returns how many bytes can be read then; 0 at the end
    /// of that output. Suspends while there is nothing. The two are bound to each other so far from the first call on.
    [[nodiscard]] poll_read_awaiter read_splice(socket& writer,
                                                location where = location::current());

    /// Wait until the fd, or the other socket, can be read; for reading it by other means.
    [[nodiscard]] ready_awaiter readable(location where = location::current());

    // --- output

    /// Write all of `bytes`. Suspends while the tx ring is full and its pipe takes no more; `bytes` must stay
    /// good until then. Throws EPIPE or ECONNRESET when the other side is gone.
    [[nodiscard]] write_awaiter write(std::string_view bytes, location where = location::current());
    [[nodiscard]] write_awaiter write(std::span<const std::byte> bytes,
                                      location where = location::current());

    /// Format as fmt::format and write. The text is formatted at once, into the ring where it fits.
    template <class... Args>
    [[nodiscard]] write_awaiter print(located_format<std::type_identity_t<Args>...> text,
                                      Args&&... args);

    /// The free space of the tx ring, in one piece, for writing there by other means; it may be empty. Then
    /// commit().
    std::span<char> prepare() noexcept
    {
        return tx_end_ || !tx_.acquire(*owner_) ? std::span<char>() : tx_.back();
    }

    /// The first `bytes` bytes of what prepare() gave are written.
    void commit(std::size_t bytes) noexcept
    {
        tx_.commit(bytes);
        touch();
    }

    /// Wait until all that was written has been handed to the system, or taken by the other socket.
    [[nodiscard]] flush_awaiter flush(location where = location::current());

    /// Send `bytes` bytes of the file `file`, from `offset` on, behind what was written; they do not pass through
    /// the ring (sendfile(2)). Suspends while the system takes no more. Throws as write(); EIO when the file
    /// ends before; EOPNOTSUPP between two sockets.
    [[nodiscard]] send_file_awaiter send_file(int file, std::uint64_t offset, std::uint64_t bytes,
                                              location where = location::current());

    /// Write what `from` receives, up to `bytes` of it or to the end of its input; returns how many that were. They are
    /// not copied where they need not be: the system moves them from or to a pipe, and from a file to a connection (splice(2),
    /// sendfile(2)); what fills a buffer goes from the one ring to the other. Suspends while there is
    /// nothing to take, and while the output takes no more. Throws what a read of `from` or a write would. One that ends
    /// early has lost nothing: what it has taken is written.
    [[nodiscard]] splice_awaiter write_splice(socket& from, std::uint64_t bytes = everything,
                                              location where = location::current());

    /// As write_splice(), of what this socket itself receives.
    [[nodiscard]] splice_awaiter forward(std::uint64_t bytes = everything,
                                         location where = location::current());

    /// Wait until the fd, or the other socket, takes bytes; for writing it by other means.
    [[nodiscard]] ready_awaiter writable(location where = location::current());

    // --- ends

    /// Whether the end of the input was reached; bytes read before it may still be in the ring.
    bool eof() const noexcept { return rx_end_; }

    /// Whether the end that was reached is the other side's, not that of a process that drains.
    bool ended_by_peer() const noexcept { return rx_end_ && !rx_cut_; }

    /// Whether reads go on though the process drains (after clear(), if the end was reached by then).
    void outlast_drain(bool outlast = true) noexcept { outlasts_drain_ = outlast; }

    /// Whether the end was reached and every byte before it was read.
    bool nodata() const noexcept { return rx_end_ && rx_.size() == 0; }

    /// Forget an end or an error of the input, to try again: a terminal goes on after its end.
    void clear() noexcept;

    /// Flush, then end the output: the other side reads an end. Between two sockets the stream goes on once
    /// the reader took the end with read_hup(), which this waits for.
    [[nodiscard]] hup_awaiter hup(location where = location::current());

    /// Whether the output was ended.
    bool hanged() const noexcept { return tx_end_ || hup_marked_; }

    /// Skip to the end of the input, and take it: between two sockets the stream then goes on.
    [[nodiscard]] read_hup_awaiter read_hup(location where = location::current());

    /// End the input for good (shutdown(2), SHUT_RD): what was not read is dropped, and later reads are at the
    /// end.
    void rx_close() noexcept;

    /// Flush, then end the output for good (shutdown(2), SHUT_WR; an fd that is no socket is closed).
    [[nodiscard]] hup_awaiter tx_close(location where = location::current());

    /// Both: drop what was not read, end the input at once, and the output when it is awaited.
    [[nodiscard]] hup_awaiter shutdown(location where = location::current());

    /// Whether the other side has ended its output, as far as is known without a read. What it had sent by then may be
    /// still to be read.
    bool poll_hup() const noexcept
    {
        const socket* writer = in_.peer;
        return rx_end_ || (in_.fd && in_.fd->hang_up) ||
               (writer && (writer->hup_marked_ || writer->tx_end_));
    }

    // --- setting

    /// End each blocking operation from now on in which no byte moves for `span`; zero is without limit. Counted
    /// from the kernel's last look at the clock, which is as old as its turn.
    void set_timeout(std::chrono::nanoseconds span) noexcept { timeout_ = span.count(); }

    /// End each blocking operation from now on when `span` has passed, whatever moves; zero is without limit.
    void set_deadline(std::chrono::nanoseconds span) noexcept
    {
        limit_ = span.count() ? after(owner_->shared().now, span.count()) : never;
    }

    // --- for pipelines

    /// Write to what `writer` writes to, and read what that writes from now on: it was bound, and nobody is blocked in
    /// writing it. When this socket goes, it has its output back, ended.
    void take_output(socket& writer) noexcept;

    /// Whether the output goes to another socket.
    bool writes_to_socket() const noexcept { return out_.peer != nullptr; }

    /// The process whose socket it is.
    process& owner() const noexcept { return *owner_; }

    /// The fds, or -1 where bound to a socket. With the poller `uring` the socket may hold bytes that were received and
    /// are not read yet, which whoever reads the fd itself does not see.
    /// readable() says of those that they are there.
    int rx_fd() const noexcept { return in_.fd ? in_.fd->fd : -1; }
    int tx_fd() const noexcept { return out_.fd ? out_.fd->fd : -1; }

private:
    template <class>
    friend class io_awaiter;
    friend class read_awaiter;
    friend class readline_awaiter;
    friend class poll_read_awaiter;
    friend class look_awaiter;
    friend class write_awaiter;
    friend class flush_awaiter;
    friend class send_file_awaiter;
    friend class splice_awaiter;
    friend class hup_awaiter;
    friend class read_hup_awaiter;
    friend class ready_awaiter;

    enum class side : std::uint8_t { rx, tx };

    // Bring bytes, the end or an error into rx: done when one of them came.
    progress fill() noexcept;
    progress fill_further() noexcept;
    progress fill_from_fd(descriptor& from) noexcept;
    progress fill_from_peer(socket& from) noexcept;
    progress read_directly(descriptor& from, std::span<char> to, std::size_t& bytes) noexcept;
    ssize_t read_some(const descriptor& from, char* to, std::size_t bytes) noexcept;
    ssize_t read_last(const descriptor& from, char* to, std::size_t bytes) noexcept;
    ssize_t read_into_ring(const descriptor& from) noexcept;
    progress nothing_to_read(descriptor& from) noexcept;
    void put_back(std::string_view bytes) noexcept;
    progress learn_from_read(descriptor& from, ssize_t got, std::size_t asked) noexcept;

    // Send what tx holds, then `more`, dropping from it what was sent: done when bytes left or an error came.
    progress send(std::string_view& more, bool budgeted) noexcept;
    progress send_to_fd(descriptor& to, std::string_view& more) noexcept;
    ssize_t send_front(const descriptor& to) noexcept;
    ssize_t send_parts(const descriptor& to, std::string_view more) noexcept;
    progress push(descriptor& to) noexcept;
    progress learn_from_write(descriptor& to, ssize_t sent) noexcept;
    void fail_output(int error) noexcept;
    progress send_to_peer(std::string_view& more) noexcept;

    progress blocked_on(descriptor& at, ready interest) noexcept;
    progress write_some(std::string_view& bytes) noexcept;
    progress flush_some() noexcept;
    progress send_file_to_fd(descriptor& to, int file, file_part& left) noexcept;
    progress end_output() noexcept;

    nanoseconds deadline() const noexcept
    {
        return timeout_ ? std::min(after(owner_->shared().now, timeout_), limit_) : limit_;
    }
    // It is known, from what the poller was told before, that a wait for input is the next thing to do.
    bool knows_nothing_new() const noexcept
    {
        const descriptor* from = in_.fd;
        return from && !from->may_read && !from->hang_up && from->watched() && !rx_end_ &&
               !rx_error_ && owner_->waits_by_edge();
    }
    // What a driver sends in the socket's stead it may still have.
    bool has_sent_all() const noexcept { return tx_.used() == 0 && !(out_.fd && out_.fd->by); }
    void renew_deadline() const noexcept
    {
        if (timeout_) [[unlikely]]
            thread::current().renew_deadline(deadline());
    }
    void touch() noexcept { owner_->add_chore(*this); }
    void settle() noexcept;
    bool peer_is_readable() const noexcept;
    void wake_reader() noexcept;
    void wake_writer() noexcept;
    void unbind() noexcept;
    void bind_output(socket& other) noexcept;
    void give_back_output(socket& writer) noexcept;
    void bind_input(socket& writer) noexcept;

    void suspend(std::coroutine_handle<> caller, side which, progress why, const char* operation,
                 const location& where, void* awaiter, thread::attempt_function attempt) noexcept;
    void check_rx(const char* operation)
    {
        if (rx_error_) [[unlikely]]
            throw_error(rx_error_, operation);
    }
    void check_tx(const char* operation)
    {
        if (tx_error_) [[unlikely]]
            throw_error(tx_error_, operation);
    }
    [[noreturn, gnu::cold]] void throw_error(int& error, const char* operation);

    // Touched by every operation.
    process* owner_;
    buffer rx_;
    buffer tx_;
    int rx_error_ = 0; // errno that ended the input, or ENOMEM
    int tx_error_ = 0;
    bool rx_end_ = false;       // the input has ended
    bool rx_cut_ = false;       // by a drain, or by rx_close()
    bool rx_last_read_ = false; // what a drain left to read is being read
    bool outlasts_drain_ = false;
    bool tx_end_ = false;     // the output has ended for good, or failed
    bool hup_marked_ = false; // bound to a socket: an end that its reader has not taken yet
    nanoseconds timeout_ = 0;
    nanoseconds limit_ = never;

    // Touched when the rings cannot serve.
    pipe in_;
    pipe out_;
};

/// What the awaiters of a socket share: suspension, and what ended it.
template <class Self>
class io_awaiter {
public:
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        suspended_ = true;
        io_->suspend(caller, Self::which, state_, Self::operation, where_, static_cast<Self*>(this),
                     [](void* self) noexcept { return static_cast<Self*>(self)->attempt(); });
    }

protected:
    using side = socket::side;

    io_awaiter(socket& io, const socket::location& where) noexcept : io_(&io), where_(where) {}

    bool attempt_now() noexcept
    {
        state_ = static_cast<Self*>(this)->attempt();
        return state_ == progress::done;
    }

    // As attempt_now(), of input: it may be known that it would find none.
    bool attempt_if_new() noexcept
    {
        if (!io_->knows_nothing_new())
            return attempt_now();
        state_ = progress::blocked;
        return false;
    }

    void check_wake() const
    {
        if (suspended_)
            thread::current().check_wake(Self::operation);
    }

    socket* io_;
    socket::location where_;
    progress state_ = progress::done;
    bool suspended_ = false;
};

class [[nodiscard]] readline_awaiter : public io_awaiter<readline_awaiter> {
public:
    static constexpr const char* operation = "readline";
    static constexpr auto which = socket::side::rx;

    bool await_ready() noexcept
    {
        io_->rx_.release();
        if (take_line()) [[likely]]
            return true;
        return attempt_if_new();
    }
    std::optional<std::string_view> await_resume()
    {
        check_wake();
        if (!io_->rx_.holds()) [[unlikely]] {
            io_->check_rx(operation);
            return std::nullopt;
        }
        return io_->rx_.held();
    }
    progress attempt() noexcept;

private:
    friend class socket;
    using io_awaiter::io_awaiter;

    bool take_line() noexcept
    {
        std::size_t length = io_->rx_.find_line();
        if (length == 0)
            return false;
        io_->rx_.hold(length);
        return true;
    }
};

class [[nodiscard]] read_awaiter : public io_awaiter<read_awaiter> {
public:
    static constexpr const char* operation = "read";
    static constexpr auto which = socket::side::rx;

    bool await_ready() noexcept
    {
        io_->rx_.release();
        if (io_->rx_.size() >= to_.size()) [[likely]] {
            done_ = io_->rx_.read(to_.data(), to_.size());
            return true;
        }
        return attempt_now();
    }
    std::size_t await_resume()
    {
        if (done_ < to_.size()) [[unlikely]]
            put_back_unless_ended();
        check_wake();
        if (done_ < to_.size()) [[unlikely]]
            io_->check_rx(operation);
        return done_;
    }
    progress attempt() noexcept;

private:
    friend class socket;
    read_awaiter(socket& io, std::span<char> to, const socket::location& where) noexcept
        : io_awaiter(io, where), to_(to)
    {
    }

    [[gnu::cold]] void put_back_unless_ended() noexcept;

    std::span<char> to_;
    std::size_t done_ = 0;
};

class [[nodiscard]] poll_read_awaiter : public io_awaiter<poll_read_awaiter> {
public:
    static constexpr const char* operation = "poll_read";
    static constexpr auto which = socket::side::rx;

    bool await_ready() noexcept
    {
        io_->rx_.release();
        return io_->rx_.size() > 0 || attempt_now();
    }
    std::size_t await_resume()
    {
        check_wake();
        if (io_->rx_.size() == 0)
            io_->check_rx(operation);
        return io_->rx_.size();
    }
    progress attempt() noexcept;

private:
    friend class socket;
    using io_awaiter::io_awaiter;
};

class [[nodiscard]] look_awaiter : public io_awaiter<look_awaiter> {
public:
    static constexpr const char* operation = "look";
    static constexpr auto which = socket::side::rx;

    bool await_ready() noexcept
    {
        io_->rx_.release();
        if (io_->rx_.size() >= bytes_) [[likely]]
            return true;
        return attempt_if_new();
    }
    std::string_view await_resume()
    {
        check_wake();
        if (io_->rx_.size() < bytes_) [[unlikely]]
            io_->check_rx(operation);
        return io_->rx_.whole();
    }
    progress attempt() noexcept;

private:
    friend class socket;
    look_awaiter(socket& io, std::size_t bytes, const socket::location& where) noexcept
        : io_awaiter(io, where), bytes_(bytes)
    {
    }

    std::size_t bytes_;
};

class [[nodiscard]] write_awaiter : public io_awaiter<write_awaiter> {
public:
    static constexpr const char* operation = "write";
    static constexpr auto which = socket::side::tx;

    write_awaiter(const write_awaiter&) = delete;
    write_awaiter& operator=(const write_awaiter&) = delete;
    ~write_awaiter()
    {
        if (text_) [[unlikely]]
            io_->owner_->heap().give(text_);
    }

    bool await_ready() noexcept
    {
        buffer& tx = io_->tx_;
        if (!io_->tx_end_ && tx.acquire(*io_->owner_) && bytes_.size() <= tx.room()) [[likely]] {
            tx.write(bytes_.data(), bytes_.size());
            io_->touch();
            bytes_ = {};
            return true;
        }
        return attempt_now();
    }
    void await_resume()
    {
        check_wake();
        if (!bytes_.empty()) [[unlikely]]
            io_->check_tx(operation);
    }
    progress attempt() noexcept { return io_->write_some(bytes_); }

private:
    friend class socket;
    write_awaiter(socket& io, std::string_view bytes, const socket::location& where,
                  void* text = nullptr) noexcept
        : io_awaiter(io, where), bytes_(bytes.data(), bytes.size()), text_(text)
    {
    }

    std::string_view bytes_; // what is still to be written
    void* text_;             // pages of the heap that hold it, when print() had no room
};

class [[nodiscard]] flush_awaiter : public io_awaiter<flush_awaiter> {
public:
    static constexpr const char* operation = "flush";
    static constexpr auto which = socket::side::tx;

    bool await_ready() noexcept { return io_->has_sent_all() || attempt_now(); }
    void await_resume()
    {
        check_wake();
        io_->check_tx(operation);
    }
    progress attempt() noexcept { return io_->flush_some(); }

private:
    friend class socket;
    using io_awaiter::io_awaiter;
};

class [[nodiscard]] send_file_awaiter : public io_awaiter<send_file_awaiter> {
public:
    static constexpr const char* operation = "send_file";
    static constexpr auto which = socket::side::tx;

    bool await_ready() noexcept { return attempt_now(); }
    void await_resume()
    {
        check_wake();
        if (left_.bytes > 0) [[unlikely]]
            io_->check_tx(operation);
    }
    progress attempt() noexcept;

private:
    friend class socket;
    send_file_awaiter(socket& io, int file, file_part what, const socket::location& where) noexcept
        : io_awaiter(io, where), file_(file), left_(what)
    {
    }

    int file_;
    file_part left_;
};

/// write_splice() and forward(), which wait now for input, now for room.
class [[nodiscard]] splice_awaiter {
public:
    bool await_ready() noexcept { return (state_ = attempt()) == progress::done; }
    void await_suspend(std::coroutine_handle<> caller) noexcept;
    std::uint64_t await_resume();

private:
    friend class socket;
    splice_awaiter(socket& from, socket& to, std::uint64_t bytes,
                   const socket::location& where) noexcept
        : from_(&from), to_(&to), left_(bytes), where_(where)
    {
    }

    static constexpr const char* operation = "splice";

    // How bytes get from the one fd to the other: by the rings, or by the system.
    enum class way : std::uint8_t { unknown, rings, splice, send_file };

    progress attempt() noexcept;
    bool is_over() const noexcept;
    void move() noexcept;
    progress move_by_rings() noexcept;
    bool goes_by_system() noexcept;
    progress move_by_system() noexcept;
    progress learn(ssize_t moved, std::size_t asked) noexcept;
    progress learn_from_failure(int error) noexcept;
    bool look() noexcept;
    bool is_of_input(int error) const noexcept;

    descriptor& in() const noexcept { return *from_->in_.fd; }
    descriptor& out() const noexcept { return *to_->out_.fd; }
    static way between(const descriptor& in, const descriptor& out) noexcept;

    socket* from_;
    socket* to_;
    std::uint64_t left_;
    std::uint64_t moved_ = 0;
    socket::location where_;
    progress state_ = progress::done;
    way way_ = way::unknown;
    bool in_doubt_ = false; // EAGAIN, and yet both are ready
    bool waits_for_input_ = false;
    bool suspended_ = false;
};

class [[nodiscard]] hup_awaiter : public io_awaiter<hup_awaiter> {
public:
    static constexpr const char* operation = "hup";
    static constexpr auto which = socket::side::tx;

    bool await_ready() noexcept { return attempt_now(); }
    void await_resume()
    {
        check_wake();
        io_->check_tx(operation);
    }
    progress attempt() noexcept;

private:
    friend class socket;
    hup_awaiter(socket& io, const socket::location& where, bool for_good) noexcept
        : io_awaiter(io, where), for_good_(for_good)
    {
    }

    bool for_good_;
    bool marked_ = false;
};

class [[nodiscard]] read_hup_awaiter : public io_awaiter<read_hup_awaiter> {
public:
    static constexpr const char* operation = "read_hup";
    static constexpr auto which = socket::side::rx;

    bool await_ready() noexcept { return attempt_now(); }
    void await_resume()
    {
        check_wake();
        io_->check_rx(operation);
    }
    progress attempt() noexcept;

private:
    friend class socket;
    using io_awaiter::io_awaiter;
};

/// readable() and writable(): asks the system for the level once, since the stream is handled by other means
/// and the mirror of its readiness may be stale.
class [[nodiscard]] ready_awaiter : public io_awaiter<ready_awaiter> {
public:
    static constexpr const char* operation = "wait";

    bool await_ready() noexcept { return attempt_now(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        suspended_ = true;
        io_->suspend(caller, side_, state_, operation, where_, this, [](void* self) noexcept {
            return static_cast<ready_awaiter*>(self)->attempt();
        });
    }
    void await_resume() { check_wake(); }
    progress attempt() noexcept;

private:
    friend class socket;
    friend class io_awaiter<ready_awaiter>;
    ready_awaiter(socket& io, socket::side which, const socket::location& where) noexcept
        : io_awaiter(io, where), side_(which)
    {
    }

    socket::side side_;
};

inline read_awaiter socket::read(std::span<std::byte> to, location where)
{
    return {*this, {reinterpret_cast<char*>(to.data()), to.size()}, where};
}
inline read_awaiter socket::read(std::span<char> to, location where)
{
    return {*this, to, where};
}
inline readline_awaiter socket::readline(location where)
{
    return {*this, where};
}
inline poll_read_awaiter socket::poll_read(location where)
{
    return {*this, where};
}
inline look_awaiter socket::look(std::size_t bytes, location where)
{
    return {*this, bytes, where};
}
inline ready_awaiter socket::readable(location where)
{
    return {*this, side::rx, where};
}
inline write_awaiter socket::write(std::string_view bytes, location where)
{
    return {*this, bytes, where};
}
inline write_awaiter socket::write(std::span<const std::byte> bytes, location where)
{
    return {*this, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, where};
}
inline flush_awaiter socket::flush(location where)
{
    return {*this, where};
}
inline send_file_awaiter socket::send_file(int file, std::uint64_t offset, std::uint64_t bytes,
                                           location where)
{
    return {*this, file, {offset, bytes}, where};
}
inline splice_awaiter socket::write_splice(socket& from, std::uint64_t bytes, location where)
{
    return {from, *this, bytes, where};
}
inline splice_awaiter socket::forward(std::uint64_t bytes, location where)
{
    return {*this, *this, bytes, where};
}
inline poll_read_awaiter socket::read_splice(socket& writer, location where)
{
    bind_input(writer);
    return {*this, where};
}
inline ready_awaiter socket::writable(location where)
{
    return {*this, side::tx, where};
}
inline hup_awaiter socket::hup(location where)
{
    return {*this, where, out_.fd != nullptr};
}
inline read_hup_awaiter socket::read_hup(location where)
{
    return {*this, where};
}
inline hup_awaiter socket::tx_close(location where)
{
    return {*this, where, true};
}
inline hup_awaiter socket::shutdown(location where)
{
    rx_close();
    return tx_close(where);
}

template <class... Args>
write_awaiter socket::print(located_format<std::type_identity_t<Args>...> text, Args&&... args)
{
    auto pattern = fmt::runtime(fmt::string_view(text.text)); // it was checked when it was compiled
    if (tx_.acquire(*owner_) && !tx_end_) [[likely]] {
        std::span<char> room = tx_.back();
        auto made = fmt::format_to_n(room.data(), room.size(), pattern, args...);
        if (made.size <= room.size()) [[likely]] {
            tx_.commit(made.size);
            touch();
            return {*this, {}, text.where};
        }
    }
    // No room in one piece, into which the text was cut off: the text waits in pages of the heap, which the awaiter gives back.
    tx_.touch_back();
    std::size_t length = fmt::formatted_size(pattern, args...);
    char* whole =
        static_cast<char*>(owner_->heap().take(pages_for(length + 1))); // one, even for nothing
    fmt::format_to_n(whole, length, pattern, args...);
    return {*this, {whole, length}, text.where, whole};
}

} // namespace vk
