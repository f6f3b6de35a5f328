#include "vk/io/socket.hpp"

#include "vk/base/os.hpp"
#include "vk/proc/completions.hpp"

#include <cerrno>

#include <poll.h>

namespace vk {

socket::socket(process& owner) noexcept : owner_(&owner)
{
    chore::run = [](chore& due) noexcept { static_cast<socket&>(due).settle(); };
}

socket::socket(descriptor& in, descriptor& out, process& owner) noexcept : socket(owner)
{
    in_.fd = &in;
    out_.fd = &out;
    in.readers = &in_.waiters;
    out.writers = &out_.waiters;
    out.on_writable = this;
}

socket::~socket()
{
    VK_REQUIRE(in_.waiters.empty() && out_.waiters.empty());
    settle();
    unbind();
    rx_.discard(*owner_);
    tx_.discard(*owner_);
}

void bind(socket& a, socket& b) noexcept
{
    VK_REQUIRE(!a.in_.bound() && !a.out_.bound() && !b.in_.bound() && !b.out_.bound());
    VK_REQUIRE(a.owner_ == b.owner_);
    a.in_.peer = a.out_.peer = &b;
    b.in_.peer = b.out_.peer = &a;
}

// A socket that goes leaves its fds as it found them, and its peer at the end of the stream.
void socket::unbind() noexcept
{
    if (in_.fd)
        in_.fd->readers = nullptr;
    if (out_.fd) {
        out_.fd->writers = nullptr;
        out_.fd->on_writable = nullptr;
    }
    if (socket* reader = out_.peer) {
        while (tx_.used() > 0 && reader->rx_.acquire(*owner_) && reader->rx_.room() > 0)
            (void)reader->fill_from_peer(*this);
        reader->rx_end_ = true;
        reader->in_.peer = nullptr;
        reader->wake_reader();
    }
    if (socket* writer = in_.peer) {
        if (writer != out_.peer && out_.bound())
            return give_back_output(*writer);
        writer->out_.peer = nullptr;
        writer->fail_output(EPIPE);
        writer->wake_writer();
    }
}

// Of a pipeline: between a socket that writes and what that wrote to before.
void socket::take_output(socket& writer) noexcept
{
    VK_REQUIRE(!in_.bound() && !out_.bound() && writer.out_.bound());
    VK_REQUIRE(writer.owner_ == owner_ && writer.out_.waiters.empty());
    bind_output(writer);
    in_.peer = &writer;
    writer.out_.fd = nullptr;
    writer.out_.peer = this;
    tx_.swap(writer.tx_); // what was written is not for the one in between
    std::swap(tx_error_, writer.tx_error_);
    std::swap(tx_end_, writer.tx_end_);
    std::swap(hup_marked_, writer.hup_marked_);
    timeout_ = writer.timeout_;
    limit_ = writer.limit_;
    touch();
}

// The other end of that. What would be written now would go past it: the output has ended, in good order if this one's
// has.
void socket::give_back_output(socket& writer) noexcept
{
    bool lost = !tx_end_ || tx_error_ || writer.tx_.used() > 0 || !writer.out_.waiters.empty();
    writer.out_.peer = nullptr;
    writer.bind_output(*this);
    writer.tx_end_ = true;
    writer.hup_marked_ = false;
    if (lost)
        writer.tx_error_ = EPIPE;
    writer.touch();
    writer.wake_writer();
}

// Write to what `other` writes to, in its place.
void socket::bind_output(socket& other) noexcept
{
    out_.fd = other.out_.fd;
    out_.peer = other.out_.peer;
    if (out_.fd) {
        out_.fd->writers = &out_.waiters;
        out_.fd->on_writable = this;
    } else if (out_.peer) {
        out_.peer->in_.peer = this;
    }
}

// --- input ------------------------------------------------------------------------------------------

progress socket::fill() noexcept
{
    if (rx_end_ || rx_error_)
        return progress::done;
    if (in_.fd)
        return fill_from_fd(*in_.fd);
    if (in_.peer)
        return fill_from_peer(*in_.peer);
    rx_error_ = ENOTCONN;
    return progress::done;
}

// As fill(), where what is there does not suffice: a full ring grows.
progress socket::fill_further() noexcept
{
    if (rx_.attached() && rx_.room() == 0 && !rx_.grow(*owner_)) {
        rx_error_ = ENOMEM;
        return progress::done;
    }
    return fill();
}

ssize_t socket::read_some(const descriptor& from, char* to, std::size_t bytes) noexcept
{
    if (from.by)
        return rx_last_read_ ? read_last(from, to, bytes) : from.by->receive(from.fd, to, bytes);
    ++owner_->shared().count.reads;
    return from.is_socket ? os::receive(from.fd, to, bytes) : os::read(from.fd, to, bytes);
}

// Of a drain, for which has been received what the system has, too, behind what the driver has.
ssize_t socket::read_last(const descriptor& from, char* to, std::size_t bytes) noexcept
{
    ssize_t got = from.by->receive(from.fd, to, bytes);
    if (got == 0 || (got < 0 && got != -EAGAIN))
        return got;
    auto held = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    if (held == bytes)
        return got;
    ++owner_->shared().count.reads;
    ssize_t more = os::receive(from.fd, to + held, bytes - held);
    if (more <= 0)
        return held > 0 ? got : more;
    return static_cast<ssize_t>(held) + more;
}

// Into the room that is there, in one part or in two.
ssize_t socket::read_into_ring(const descriptor& from) noexcept
{
    std::span<char> back = rx_.back();
    if (back.size() == rx_.room() || from.by) [[likely]]
        return read_some(from, back.data(), back.size());
    iovec parts[2];
    int count = rx_.empty_parts(parts);
    ++owner_->shared().count.reads;
    return os::readv(from.fd, parts, count);
}

progress socket::fill_from_fd(descriptor& from) noexcept
{
    if (!from.may_read)
        return nothing_to_read(from);
    if (owner_->spent())
        return progress::spent;
    if (!rx_.acquire(*owner_)) {
        rx_error_ = ENOMEM;
        return progress::done;
    }
    touch();
    std::size_t room = from.by ? rx_.back().size() : rx_.room();
    ssize_t got = read_into_ring(from);
    if (got > 0) [[likely]]
        rx_.commit(static_cast<std::size_t>(got));
    return learn_from_read(from, got, room);
}

// Read past the empty ring, into the reader's own memory.
progress socket::read_directly(descriptor& from, std::span<char> to, std::size_t& bytes) noexcept
{
    if (!from.may_read)
        return nothing_to_read(from);
    if (owner_->spent())
        return progress::spent;
    ssize_t got = read_some(from, to.data(), to.size());
    if (got > 0)
        bytes = static_cast<std::size_t>(got);
    return learn_from_read(from, got, to.size());
}

// It is known, without a read, that there is nothing to read now: deductions 2 and 6. A drain ends the input with
// what has been received, whether the poller had been asked for it or not: so the fd is read once more.
progress socket::nothing_to_read(descriptor& from) noexcept
{
    if (from.at_end()) {
        rx_end_ = true;
        return progress::done;
    }
    if (!owner_->draining() || outlasts_drain_)
        return blocked_on(from, ready::in);
    if (!std::exchange(rx_last_read_, true))
        from.may_read = true; // the caller looks again
    else
        rx_end_ = rx_cut_ = true;
    return progress::done;
}

// What a read that asked for `asked` bytes and returned `got` says of the fd: deduction 1.
inline progress socket::learn_from_read(descriptor& from, ssize_t got, std::size_t asked) noexcept
{
    counters& total = owner_->shared().count;
    if (got > 0) [[likely]] {
        total.bytes_in += static_cast<std::uint64_t>(got);
        owner_->spend(got);
        renew_deadline();
        from.took(static_cast<std::size_t>(got), static_cast<std::size_t>(got) < asked);
        return progress::done;
    }
    if (got == 0) {
        from.drained();
        rx_end_ = true;
        return progress::done;
    }
    if (got == -EINTR)
        return progress::done; // nothing came; the caller looks again
    if (got == -EAGAIN) {
        ++total.eagain;
        from.drained();
        return nothing_to_read(from);
    }
    rx_error_ = static_cast<int>(-got);
    return progress::done;
}

progress socket::fill_from_peer(socket& from) noexcept
{
    if (from.tx_.size() == 0) {
        if (!from.hup_marked_ && !from.tx_end_)
            return progress::blocked;
        rx_end_ = true;
        return progress::done;
    }
    if (!rx_.acquire(*owner_)) {
        rx_error_ = ENOMEM;
        return progress::done;
    }
    touch();
    from.touch();
    renew_deadline();
    if (!rx_.take_all(from.tx_)) {
        std::string_view bytes = from.tx_.front();
        from.tx_.consume(rx_.write(bytes.data(), bytes.size()));
    }
    from.wake_writer();
    return progress::done;
}

progress readline_awaiter::attempt() noexcept
{
    buffer& rx = io_->rx_;
    rx.release(); // another thread may have read meanwhile, and hold a line
    for (;;) {
        if (take_line())
            return progress::done;
        if (io_->rx_end_ || io_->rx_error_) {
            if (io_->rx_end_ && rx.size() > 0)
                rx.hold(rx.size());
            return progress::done;
        }
        progress made = io_->fill_further();
        if (made != progress::done)
            return made;
    }
}

progress read_awaiter::attempt() noexcept
{
    buffer& rx = io_->rx_;
    rx.release();
    for (;;) {
        done_ += rx.read(to_.data() + done_, to_.size() - done_);
        if (done_ == to_.size() || io_->rx_end_ || io_->rx_error_)
            return progress::done;
        std::size_t direct = 0;
        std::span<char> rest = to_.subspan(done_);
        bool large = io_->in_.fd && rest.size() >= limits::block_bytes;
        progress made = large ? io_->read_directly(*io_->in_.fd, rest, direct) : io_->fill();
        done_ += direct;
        if (made != progress::done)
            return made;
    }
}

// The end of the stream is no failure, and what came before it is read.
void read_awaiter::put_back_unless_ended() noexcept
{
    bool early = suspended_ && thread::current().woken_early();
    if (!early && !io_->rx_error_)
        return;
    io_->put_back({to_.data(), done_});
    done_ = 0;
}

void socket::put_back(std::string_view bytes) noexcept
{
    if (bytes.empty())
        return; // for which no storage is needed
    rx_.release();
    bool room = rx_.acquire(*owner_);
    while (room && rx_.room() < bytes.size())
        room = rx_.grow(*owner_);
    if (room)
        rx_.put_back(bytes);
    else
        rx_error_ = ENOBUFS; // the stream is not whole any more
    touch();
}

progress poll_read_awaiter::attempt() noexcept
{
    io_->rx_.release();
    progress made = progress::done;
    while (made == progress::done && io_->rx_.size() == 0 && !io_->rx_end_ && !io_->rx_error_)
        made = io_->fill();
    return made;
}

progress look_awaiter::attempt() noexcept
{
    buffer& rx = io_->rx_;
    rx.release();
    while (rx.size() < bytes_ && !io_->rx_end_ && !io_->rx_error_) {
        progress made = io_->fill_further();
        if (made != progress::done)
            return made;
    }
    return progress::done;
}

progress read_hup_awaiter::attempt() noexcept
{
    for (;;) {
        io_->rx_.release();
        io_->rx_.consume(io_->rx_.size());
        if (io_->rx_error_)
            return progress::done;
        if (io_->rx_end_)
            break;
        progress made = io_->fill();
        if (made != progress::done)
            return made;
    }
    if (socket* writer = io_->in_.peer; writer && writer->hup_marked_) {
        writer->hup_marked_ = false;
        writer->wake_writer();
        io_->rx_end_ = writer->tx_end_;
    }
    return progress::done;
}

void socket::clear() noexcept
{
    rx_error_ = 0;
    rx_end_ = rx_cut_ = false;
    if (in_.fd) {
        // Of a connection, whose end is for good, an edge tells once, and a short read is followed by no other.
        in_.fd->hang_up = in_.fd->hang_up && in_.fd->exact;
        in_.fd->may_read = true;
        if (in_.fd->there > 0)
            in_.fd->there = descriptor::uncounted;
    }
}

void socket::rx_close() noexcept
{
    rx_end_ = rx_cut_ = true;
    rx_.release();
    rx_.consume(rx_.size());
    touch();
    if (in_.fd)
        (void)os::shutdown(in_.fd->fd, SHUT_RD);
    if (socket* writer = std::exchange(in_.peer, nullptr)) {
        writer->out_.peer = nullptr;
        writer->tx_error_ = EPIPE;
        writer->tx_end_ = true;
        writer->wake_writer();
    }
}

// --- output -----------------------------------------------------------------------------------------

progress socket::send(std::string_view& more, bool budgeted) noexcept
{
    if (tx_error_)
        return progress::done;
    if (out_.fd) {
        if (budgeted && owner_->spent())
            return progress::spent;
        progress made = send_to_fd(*out_.fd, more);
        if (budgeted && made == progress::done)
            renew_deadline();
        return made;
    }
    if (out_.peer)
        return send_to_peer(more);
    tx_error_ = ENOTCONN;
    return progress::done;
}

ssize_t socket::send_front(const descriptor& to) noexcept
{
    std::string_view front = tx_.front();
    if (to.by)
        return to.by->send(to.fd, front.data(), front.size());
    ++owner_->shared().count.writes;
    return to.is_socket ? os::send(to.fd, front.data(), front.size())
                        : os::write(to.fd, front.data(), front.size());
}

ssize_t socket::send_parts(const descriptor& to, std::string_view more) noexcept
{
    if (int pushed = to.by ? to.by->push(to.fd) : 0; pushed < 0)
        return pushed;
    iovec parts[3];
    int count = tx_.full_parts(parts);
    if (!more.empty())
        parts[count++] = {const_cast<char*>(more.data()), more.size()};
    ++owner_->shared().count.writes;
    return os::writev(to.fd, parts, count);
}

progress socket::send_to_fd(descriptor& to, std::string_view& more) noexcept
{
    if (!to.may_write)
        return blocked_on(to, ready::out);
    std::size_t offered = tx_.size() + more.size();
    ssize_t sent = tx_.front().size() == offered ? send_front(to) : send_parts(to, more);
    progress made = learn_from_write(to, sent);
    if (sent >= 0) [[likely]] {
        auto bytes = static_cast<std::size_t>(sent);
        std::size_t from_ring = std::min(bytes, tx_.size());
        tx_.consume(from_ring);
        more.remove_prefix(bytes - from_ring);
        if (bytes < offered)
            to.filled(); // deduction 3
    }
    return made;
}

// What a write that returned `sent` says of the fd.
inline progress socket::learn_from_write(descriptor& to, ssize_t sent) noexcept
{
    counters& total = owner_->shared().count;
    if (sent >= 0) [[likely]] {
        total.bytes_out += static_cast<std::uint64_t>(sent);
        owner_->spend(sent);
        return progress::done;
    }
    if (sent == -EINTR)
        return progress::done; // nothing left; the caller tries again
    if (sent == -EAGAIN) {
        ++total.eagain;
        to.filled();
        return blocked_on(to, ready::out);
    }
    fail_output(static_cast<int>(-sent));
    return progress::done;
}

void socket::fail_output(int error) noexcept
{
    tx_error_ = error;
    tx_end_ = true;
}

// Bytes stay in tx until the other socket takes them.
progress socket::send_to_peer(std::string_view&) noexcept
{
    out_.peer->wake_reader();
    renew_deadline(); // an attempt is made again only when the reader took some
    return progress::blocked;
}

progress socket::write_some(std::string_view& bytes) noexcept
{
    touch();
    for (;;) {
        if (tx_end_ && !tx_error_)
            tx_error_ = EPIPE;
        if (tx_error_)
            return progress::done;
        if (!tx_.acquire(*owner_)) {
            tx_error_ = ENOMEM;
            return progress::done;
        }
        bool fits = bytes.size() <= tx_.room();
        if (fits || !out_.fd)
            bytes.remove_prefix(tx_.write(bytes.data(), bytes.size()));
        if (out_.peer)
            out_.peer->wake_reader();
        if (bytes.empty())
            return progress::done;
        progress made = send(bytes, true);
        if (made != progress::done)
            return made;
    }
}

progress socket::flush_some() noexcept
{
    std::string_view none;
    while (tx_.used() > 0 && !tx_error_) {
        progress made = send(none, true);
        if (made != progress::done)
            return made;
    }
    return out_.fd && out_.fd->by && !tx_error_ ? push(*out_.fd) : progress::done;
}

// See that the system has all that was sent by completions.
progress socket::push(descriptor& to) noexcept
{
    int pushed = to.by->push(to.fd);
    if (pushed == 0)
        return progress::done;
    return learn_from_write(to, pushed);
}

// A short count may be the file's doing, so that it says nothing of the fd: what is full says EAGAIN.
progress socket::send_file_to_fd(descriptor& to, int file, file_part& left) noexcept
{
    if (!to.may_write)
        return blocked_on(to, ready::out);
    if (owner_->spent())
        return progress::spent;
    constexpr std::uint64_t most = limits::dispatch_bytes_max;
    auto piece = static_cast<std::size_t>(std::min(left.bytes, most));
    ++owner_->shared().count.writes;
    ssize_t sent = os::send_file(to.fd, file, left.offset, piece);

    progress made = learn_from_write(to, sent);
    if (sent > 0) [[likely]] {
        auto bytes = static_cast<std::uint64_t>(sent);
        left = {left.offset + bytes, left.bytes - bytes};
        renew_deadline();
    } else if (sent == 0) {
        fail_output(EIO); // the file has become shorter
    }
    return made;
}

progress send_file_awaiter::attempt() noexcept
{
    for (;;) {
        progress made = io_->flush_some();
        if (made != progress::done || io_->tx_error_ || left_.bytes == 0)
            return made;
        if (!io_->out_.fd || io_->tx_end_) {
            io_->tx_error_ = io_->tx_end_ ? EPIPE : io_->out_.peer ? EOPNOTSUPP : ENOTCONN;
            return progress::done;
        }
        made = io_->send_file_to_fd(*io_->out_.fd, file_, left_);
        if (made != progress::done)
            return made;
    }
}

progress hup_awaiter::attempt() noexcept
{
    if (!io_->out_.bound() && !io_->tx_error_)
        io_->tx_error_ = ENOTCONN;
    progress made = io_->flush_some();
    if (made != progress::done || io_->tx_error_)
        return made;
    if (for_good_)
        return io_->end_output();
    if (!marked_) {
        marked_ = io_->hup_marked_ = true;
        if (io_->out_.peer)
            io_->out_.peer->wake_reader();
    }
    return io_->hup_marked_ ? progress::blocked : progress::done;
}

progress socket::end_output() noexcept
{
    if (std::exchange(tx_end_, true))
        return progress::done;
    if (out_.peer)
        out_.peer->wake_reader();
    if (!out_.fd)
        return progress::done;
    int result = os::shutdown(out_.fd->fd, SHUT_WR);
    if (result == -ENOTSOCK)
        owner_->close(*out_.fd);
    else if (result < 0 && result != -ENOTCONN)
        tx_error_ = -result;
    return progress::done;
}

// --- blocking ---------------------------------------------------------------------------------------

void socket::suspend(std::coroutine_handle<> caller, side which, progress why,
                     const char* operation, const location& where, void* awaiter,
                     thread::attempt_function attempt) noexcept
{
    pipe& at = which == side::rx ? in_ : out_;
    wait what{operation, at.fd ? at.fd->fd : -1, deadline(), where};
    thread& self = thread::current();
    touch();
    if (why == progress::spent) {
        self.yield(caller, at.waiters, what, awaiter, attempt);
        return;
    }
    self.block(caller, at.waiters, what, awaiter, attempt);
}

// What is due when the threads of the process have run: send, and give back what is empty.
void socket::settle() noexcept
{
    std::string_view none;
    while (tx_.used() > 0 && out_.fd && !tx_error_ && send(none, false) == progress::done) {}
    if (tx_error_ && tx_end_ && tx_.used() > 0) {
        tx_.consume(tx_.size());
        // Nobody waits for this write: the thread that reads, and whose answer was lost, must not wait for
        // ever for a peer that waits for the answer.
        if (in_.fd && in_.fd == out_.fd && !rx_error_ && !rx_end_) {
            rx_error_ = tx_error_;
            wake_reader();
        }
    }
    if (tx_.used() > 0 && out_.peer)
        out_.peer->wake_reader();
    rx_.settle(*owner_);
    tx_.settle(*owner_);
}

// The poller is told what is waited for; the process's part is to wait.
progress socket::blocked_on(descriptor& at, ready interest) noexcept
{
    owner_->watch(at, interest);
    return progress::blocked;
}

void socket::wake_reader() noexcept
{
    thread::wake_all(in_.waiters);
}

void socket::wake_writer() noexcept
{
    thread::wake_all(out_.waiters);
}

void socket::throw_error(int& error, const char* operation)
{
    if (error == ENOMEM) {
        error = 0; // the stream is whole, and may go on when there is room
        owner_->heap().throw_exhausted();
    }
    raise(error, operation);
}

bool socket::peer_is_readable() const noexcept
{
    const socket* from = in_.peer;
    return rx_.size() > 0 || rx_end_ || rx_error_ ||
           (from && (from->tx_.used() > 0 || from->hup_marked_ || from->tx_end_));
}

progress ready_awaiter::attempt() noexcept
{
    pipe& at = side_ == side::rx ? io_->in_ : io_->out_;
    if (!at.fd) {
        bool now =
            side_ == side::rx ? io_->peer_is_readable() : io_->tx_.used() < limits::block_bytes;
        if (now && side_ == side::rx && io_->rx_.used() == 0)
            (void)io_->fill(); // learn of the end
        return now || !at.peer ? progress::done : progress::blocked;
    }
    if (side_ == side::rx && io_->rx_.size() > 0)
        return progress::done;
    if (at.fd->by) {
        if (side_ == side::rx && at.fd->by->has_received(at.fd->fd))
            return progress::done;
        if (progress made = side_ == side::tx ? io_->push(*at.fd) : progress::done;
            made != progress::done)
            return made;
    }
    pollfd level{at.fd->fd, static_cast<short>(side_ == side::rx ? POLLIN | POLLRDHUP : POLLOUT),
                 0};
    int found = os::poll(&level, 1, 0);
    if (found != 0) // an error shows when the stream is used
        return progress::done;
    if (side_ == side::rx)
        at.fd->drained();
    else
        at.fd->filled();
    return io_->blocked_on(*at.fd, side_ == side::rx ? ready::in : ready::out);
}

} // namespace vk
