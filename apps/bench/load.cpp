#include "bench/load.hpp"

#include "bench/client.hpp"
#include "bench/hogs.hpp"
#include "bench/machine.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr std::size_t open_window = dialogue::batch_max; // open loop: in flight on one connection
constexpr std::size_t read_bytes_max = 64 * 1024;
constexpr std::size_t low_water_bytes_max = 32 * 1024; // well within any receive buffer
constexpr std::int64_t low_water_patience_ns = 100'000'000;
constexpr std::uint64_t endless = ~std::uint64_t{0}; // requests

} // namespace

load::load(endpoint server, const traffic& kind, int connections, int depth)
    : server_(server),
      depth_(static_cast<std::size_t>(depth)),
      dialogue_(make_dialogue(kind)),
      connections_(static_cast<std::size_t>(connections)),
      buffer_(read_bytes_max)
{
    if (depth < 1 || depth_ > dialogue::batch_max)
        throw load_error(fmt::format("a depth is 1 to {}", dialogue::batch_max));
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0)
        fail("epoll_create1");
    dialogue_->begin(connections_.size(), 1);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        connections_[i].number = static_cast<std::uint32_t>(i);
        open(connections_[i]);
    }
}

load::~load()
{
    for (const auto& c : connections_)
        if (c.fd >= 0)
            ::close(c.fd);
    if (epoll_ >= 0)
        ::close(epoll_);
}

void load::open(connection& c)
{
    const timeval patient{patience::stall_ms_max / 1000, 0};
    c.fd = client_socket(0);
    ::setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient);
    if (!connect_to(c.fd, server_.port))
        fail("connect");
    first_request(c);

    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0)
        fail("epoll_ctl");
}

// Blocking, one connection after the other: no backlog overflows, and each is known to be served.
void load::first_request(connection& c)
{
    const auto request = dialogue_->requests(c.number, 0, 1).bytes;
    if (::send(c.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        fail("the first request of a connection");
    for (taken got; got.answers == 0;) {
        const ssize_t bytes = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
        if (bytes < 0 && errno == EINTR)
            continue; // stopped and told to go on
        if (bytes == 0)
            throw load_error("the server closed a new connection");
        if (bytes < 0)
            fail("the first answer on a connection");
        got = dialogue_->take(c.number, {buffer_.data(), static_cast<std::size_t>(bytes)});
        if (got.answers > 1 || (got.answers == 1 && got.partial))
            throw load_error("the server answered more than it was asked");
    }
}

void load::low_water(connection& c, std::size_t bytes)
{
    const int value = static_cast<int>(std::min(bytes, low_water_bytes_max));
    if (value != c.low_water_bytes)
        ::setsockopt(c.fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
    c.low_water_bytes = value;
}

void load::begin(std::size_t together, std::size_t low_water_bytes)
{
    dialogue_->begin(connections_.size(), together);
    for (auto& c : connections_) {
        low_water(c, low_water_bytes);
        c.sent = c.answered = c.due = 0;
    }
    sent_ = answered_ = 0;
}

// How many left: `requests`, or fewer where the dialogue has no more of them in one piece.
std::size_t load::send(connection& c, std::size_t requests)
{
    const auto next = dialogue_->requests(c.number, c.sent, requests);
    const ssize_t put =
        ::send(c.fd, next.bytes.data(), next.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put != static_cast<ssize_t>(next.bytes.size()))
        fail("send");
    c.sent += next.requests;
    sent_ += next.requests;
    return next.requests;
}

// All there is; false when there was nothing.
bool load::receive(connection& c)
{
    const auto before = c.answered;
    const std::size_t first = receive_once(c);
    // A read shorter than its buffer has drained the socket.
    for (std::size_t bytes = first; bytes == buffer_.size();)
        bytes = receive_once(c);
    answered_ += c.answered - before;
    return first > 0;
}

std::size_t load::receive_once(connection& c)
{
    const ssize_t got = ::recv(c.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got < 0)
        fail("recv");
    if (got == 0)
        throw load_error("the server closed a connection");
    const auto bytes = static_cast<std::size_t>(got);
    const auto came = dialogue_->take(c.number, {buffer_.data(), bytes});
    c.answered += came.answers;
    if (c.answered + (came.partial ? 1 : 0) > c.sent)
        throw load_error("the server answered more than it was asked");
    return bytes;
}

void load::send_batch(connection& c, std::int64_t now)
{
    c.sent_at = now;
    for (std::size_t sent = 0; sent < depth_;)
        sent += send(c, depth_ - sent);
}

void load::on_batch(connection& c)
{
    if (!receive(c))
        return;
    if (c.answered != c.sent) {
        low_water(c, 1); // answers grew since the mark was set: the rest may be below it
        return;
    }
    const std::int64_t now = now_ns();
    if (run_->measuring()) {
        run_->record(now - c.sent_at, depth_);
        if (left_ <= depth_)
            run_->drain(now);
        else
            left_ -= depth_;
    }
    if (!run_->draining())
        send_batch(c, now);
}

load_result load::closed_loop(span_of_time time)
{
    return run_closed(time, endless);
}

load_result load::closed_loop_requests(std::uint64_t requests)
{
    return run_closed({0, 1e6}, requests);
}

load_result load::run_closed(span_of_time time, std::uint64_t requests_wanted)
{
    std::array<epoll_event, 1024> events;
    begin(depth_, depth_ * dialogue_->answer_bytes());
    left_ = requests_wanted;
    run_.emplace(server_.pid, time);
    patience waiting(run_->began());
    for (auto& c : connections_)
        send_batch(c, now_ns());
    while (in_flight()) {
        const int ready =
            ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), spin_ ? 0 : 100);
        for (int i = 0; i < ready; ++i)
            on_batch(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
        const std::int64_t now = now_ns();
        if (waiting.check(ready > 0, now) > low_water_patience_ns)
            for (auto& c : connections_)
                low_water(c, 1); // answers shrank since the mark was set: it is never reached
        run_->end_measuring(now);
        run_->end_warming(now);
    }
    return run_->finish(answered_);
}

void load::begin_open(double rate, std::size_t window)
{
    begin(dialogue::batch_max, 1);
    interval_ns_ = 1e9 / rate;
    window_ = window;
    ordered_ = 0;
}

// When a request of a connection should have left: they go to the connections in turn.
std::int64_t load::meant(const connection& c, std::uint64_t request) const
{
    const auto order = static_cast<double>(request * connections_.size() + c.number);
    return run_->began() + static_cast<std::int64_t>(order * interval_ns_);
}

// Count the requests that are due by `now`, up to number `end`.
void load::order(std::int64_t now, std::uint64_t end)
{
    const auto passed =
        static_cast<std::uint64_t>(static_cast<double>(now - run_->began()) / interval_ns_);
    for (const auto due = std::min(end, passed + 1); ordered_ < due; ++ordered_)
        ++connections_[ordered_ % connections_.size()].due;
}

// Send those that became due. What one connection has of them leaves together.
void load::order_and_send(std::int64_t now, std::uint64_t end)
{
    const auto first = ordered_;
    order(now, end);
    const std::size_t count = connections_.size();
    for (auto i = first; i < std::min(ordered_, first + count); ++i)
        pump(connections_[i % count]);
}

// Send what is due, as far as the window lets it leave.
void load::pump(connection& c)
{
    const std::uint64_t window = window_ - (c.sent - c.answered);
    for (auto left = std::min(c.due - c.sent, window); left > 0;)
        left -= send(c, left);
}

// False when there were none.
bool load::take_answers()
{
    std::array<epoll_event, 1024> events;
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < ready; ++i)
        on_requests(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
    return ready > 0;
}

void load::on_requests(connection& c)
{
    const std::uint64_t first = c.answered;
    if (!receive(c))
        return;
    const std::int64_t now = now_ns();
    for (std::uint64_t request = first; request < c.answered; ++request) {
        const auto due_at = meant(c, request);
        if (run_->measuring() && due_at >= counts_from_)
            run_->record(now - due_at, 1);
    }
    pump(c);
}

load_result load::open_loop(double rate, span_of_time time)
{
    begin_open(rate, open_window);
    const auto all = static_cast<std::uint64_t>((time.warm_up_s + time.measured_s) * rate);
    run_.emplace(server_.pid, time);
    counts_from_ = run_->warm_at();
    patience waiting(run_->began());
    while (ordered_ < all || in_flight()) {
        const std::int64_t now = now_ns();
        run_->end_warming(now);
        order_and_send(now, all);
        waiting.check(take_answers() || !in_flight(), now);
    }
    run_->drain(now_ns());
    return run_->finish(answered_);
}

load_result load::offer(double rate, span_of_time time, hogs* beside)
{
    begin_open(rate, depth_);
    run_.emplace(server_.pid, time);
    counts_from_ = run_->began();
    for (std::int64_t now = run_->began(); !run_->draining();) {
        order_and_send(now, endless);
        take_answers();
        if (beside != nullptr)
            beside->turn();
        const std::int64_t before = std::exchange(now, now_ns());
        run_->turned(now - before);
        run_->end_measuring(now);
        run_->end_warming(now);
    }
    if (beside != nullptr)
        beside->stop();
    give_up(now_ns());
    drain();
    return run_->finish(answered_);
}

// A server that answers nothing has not answered fast: what is due by now counts, sent or not.
void load::give_up(std::int64_t now)
{
    order(now, endless);
    for (auto& c : connections_) {
        for (std::uint64_t request = c.answered; request < c.due; ++request)
            run_->record(now - meant(c, request), 0);
        c.due = c.sent;
    }
}

void load::drain()
{
    for (patience waiting(now_ns()); in_flight();)
        waiting.check(take_answers(), now_ns());
}

} // namespace vk::bench
