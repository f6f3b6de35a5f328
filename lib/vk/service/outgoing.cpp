#include "vk/service/outgoing.hpp"

#include "vk/base/error.hpp"
#include "vk/base/os.hpp"
#include "vk/proc/completions.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

namespace vk {
namespace {

// What making a connection counts against a dispatch's budget, which is measured in bytes moved.
constexpr std::int64_t connect_cost_bytes = 4096;

} // namespace

// --- connecting -------------------------------------------------------------------------------------

void connect_awaiter::await_suspend(std::coroutine_handle<> caller) noexcept
{
    suspended_ = true;
    auto again = [](void* self) noexcept { return static_cast<connect_awaiter*>(self)->attempt(); };
    wait what{operation, made_->at_ ? made_->at_->fd : -1, deadline_, where_};
    if (state_ == progress::spent)
        thread::current().yield(caller, made_->connecting_, what, this, again);
    else
        thread::current().block(caller, made_->connecting_, what, this, again);
}

void connect_awaiter::await_resume()
{
    if (suspended_) {
        try {
            thread::current().check_wake(operation);
        } catch (...) {
            (void)fail(0);
            throw;
        }
    }
    if (error_) [[unlikely]]
        throw_error();
}

progress connect_awaiter::attempt() noexcept
{
    process& owner = *made_->owner_;
    if (!made_->at_) {
        if (owner.spent())
            return progress::spent;
        if (owner.shared().requests.full()) { // it is emptied before the next dispatch
            owner.spend_all();
            return progress::spent;
        }
        return open();
    }
    return asked_ ? answer() : connect();
}

// Make the fd, and have the kernel own it.
progress connect_awaiter::open() noexcept
{
    commons& shared = made_->owner_->shared();
    if (shared.fds == 0)
        return fail(ENOSYS); // without a kernel nobody would close it
    int fd = os::socket(to_->family(), SOCK_STREAM, 0);
    if (fd < 0)
        return fail(-fd);
    if (static_cast<std::size_t>(fd) >= shared.fds) {
        (void)os::close(fd);
        return fail(EMFILE);
    }
    request wanted{request::verb::adopt};
    wanted.fd = fd;
    VK_ASSERT(shared.requests.leave(wanted));

    made_->owner_->spend(connect_cost_bytes);
    descriptor& at = made_->at_.emplace(fd, to_->is_unix() ? fd_kind::unix_socket : fd_kind::tcp);
    at.writers = &made_->connecting_;
    if (!to_->is_unix()) {
        // As on connections that were accepted: what is written does not wait for acknowledgements.
        int result = os::set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (result < 0)
            return fail(-result);
    }
    return connect();
}

progress connect_awaiter::connect() noexcept
{
    descriptor& at = *made_->at_;
    int result = os::connect(at.fd, to_->raw(), to_->bytes());
    while (result == -EINTR) // it goes on being made; asking again says how far it is
        result = os::connect(at.fd, to_->raw(), to_->bytes());
    at.drained(); // what comes from now on is an edge, or there when the fd is registered
    switch (-result) {
    case 0:
    case EISCONN:
        return establish();
    case EINPROGRESS:
    case EALREADY:
        asked_ = true;
        at.filled();
        return answer();
    case EAGAIN: // a unix socket's backlog is full, or the system is short of something
        thread::current().try_again_at(
            after(os::now(), limits::connect_retry_ms * std::int64_t{1'000'000}));
        return progress::blocked;
    default:
        return fail(-result);
    }
}

// The fd becomes writable when the other side has answered, whatever it said.
progress connect_awaiter::answer() noexcept
{
    descriptor& at = *made_->at_;
    if (!at.may_write) {
        made_->owner_->watch(at, ready::out);
        return progress::blocked;
    }
    int error = 0;
    int result = os::get_option(at.fd, SOL_SOCKET, SO_ERROR, error);
    if (result < 0)
        return fail(-result);
    return error ? fail(error) : establish();
}

progress connect_awaiter::establish() noexcept
{
    descriptor& at = *made_->at_;
    made_->io_.emplace(at, at, *made_->owner_).outlast_drain();
    ++made_->owner_->shared().count.connects;
    return progress::done;
}

progress connect_awaiter::fail(int error) noexcept
{
    error_ = error;
    ++made_->owner_->shared().count.connect_errors;
    made_->close();
    return progress::done;
}

void connect_awaiter::throw_error() const
{
    std::string what = fmt::format("{} {}", operation, to_->text());
    if (error_ == ETIMEDOUT)
        throw timed_out(what.c_str());
    raise(error_, what.c_str());
}

// --- connected --------------------------------------------------------------------------------------

bool outgoing::quiet() const noexcept
{
    if (!io_ || at_->hang_up)
        return false;
    if (at_->by && at_->by->has_received(at_->fd))
        return false;
    pollfd level{at_->fd, POLLIN | POLLRDHUP, 0};
    int found = os::poll(&level, 1, 0);
    while (found == -EINTR)
        found = os::poll(&level, 1, 0);
    return found == 0;
}

void outgoing::close() noexcept
{
    if (!at_)
        return;
    io_.reset();
    owner_->close(*at_);
    at_.reset();
}

} // namespace vk
