#include "bench/load.hpp"

#include "bench/listener.hpp"
#include "bench/machine.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr std::size_t lines_max = 64; // lines that a connection owns; two batches at most
constexpr std::size_t open_window = lines_max / 2; // open loop: lines in flight on one connection
constexpr int stall_ms_max = 3'000;
constexpr std::size_t read_bytes_max = 64 * 1024;

[[noreturn]] void fail(const char* what)
{
    throw load_error(fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

void compose(char* at, std::size_t connection, std::size_t line)
{
    const auto text = fmt::format("connection {:06} line {:02} ", connection, line);
    std::memset(at, '.', line_bytes);
    std::memcpy(at, text.data(), text.size());
    at[line_bytes - 1] = '\n';
}

std::int64_t ns(double seconds)
{
    return static_cast<std::int64_t>(seconds * 1e9);
}

} // namespace

load::load(endpoint server, int connections, int depth)
    : server_(server),
      depth_(static_cast<std::size_t>(depth)),
      connections_(static_cast<std::size_t>(connections)),
      lines_(connections_.size() * lines_max * line_bytes),
      buffer_(read_bytes_max),
      cycle_bytes_(lines_max * line_bytes)
{
    if (depth < 1 || depth_ > lines_max / 2)
        throw load_error(fmt::format("a depth is 1 to {}", lines_max / 2));
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0)
        fail("epoll_create1");
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        auto& c = connections_[i];
        c.number = static_cast<std::uint32_t>(i);
        for (std::size_t line = 0; line < lines_max; ++line)
            compose(&lines_[(i * lines_max + line) * line_bytes], i, line);
        open(c);
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
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(server_.port);
    const linger reset{1, 0};
    const timeval patience{stall_ms_max / 1000, 0};

    c.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c.fd < 0)
        fail("socket");
    ::setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    no_delay(c.fd);
    if (::connect(c.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("connect");
    first_line(c);

    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0)
        fail("epoll_ctl");
}

// Blocking, one connection after the other: no backlog overflows, and each is known to be served.
void load::first_line(connection& c)
{
    std::array<char, line_bytes> answer{};
    if (::send(c.fd, lines_of(c), line_bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(line_bytes))
        fail("the first line of a connection");
    const ssize_t got = ::recv(c.fd, answer.data(), answer.size(), MSG_WAITALL);
    if (got != static_cast<ssize_t>(line_bytes))
        fail(got == 0 ? "the server closed a new connection" : "the first answer on a connection");
    if (std::memcmp(answer.data(), lines_of(c), line_bytes) != 0)
        throw load_error("the first answer differs from its line");
}

const char* load::lines_of(const connection& c) const noexcept
{
    return &lines_[c.number * lines_max * line_bytes];
}

void load::begin(int low_water_bytes, std::size_t cycle_lines)
{
    for (auto& c : connections_) {
        ::setsockopt(c.fd, SOL_SOCKET, SO_RCVLOWAT, &low_water_bytes, sizeof low_water_bytes);
        c.sent = c.received = c.due = 0;
    }
    cycle_bytes_ = cycle_lines * line_bytes;
    sent_ = received_ = 0;
}

// The lines from c.sent on, which are contiguous: a batch divides the cycle.
void load::send_lines(connection& c, std::size_t lines)
{
    const std::size_t bytes = lines * line_bytes;
    const ssize_t put =
        ::send(c.fd, lines_of(c) + c.sent % cycle_bytes_, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put != static_cast<ssize_t>(bytes))
        fail("send");
    c.sent += bytes;
    sent_ += bytes;
}

// All there is: a read shorter than its buffer has drained the socket, and more than was sent is an
// error.
std::size_t load::receive(connection& c)
{
    const ssize_t got = ::recv(c.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got < 0)
        fail("recv");
    if (got == 0)
        throw load_error("the server closed a connection");
    const auto bytes = static_cast<std::size_t>(got);
    if (bytes > c.sent - c.received)
        throw load_error("the server answered more than it was sent");
    for (std::size_t seen = 0; seen < bytes;) {
        const std::size_t from = c.received % cycle_bytes_;
        const std::size_t part = std::min(bytes - seen, cycle_bytes_ - from);
        if (std::memcmp(buffer_.data() + seen, lines_of(c) + from, part) != 0)
            throw load_error("an answer differs from its line");
        c.received += part;
        seen += part;
    }
    received_ += bytes;
    return bytes;
}

void load::enter(phase next, std::int64_t now)
{
    const std::int64_t cpu = cpu_ns(server_.pid);
    if (phase_ == phase::measuring) {
        result_.seconds = static_cast<double>(now - phase_began_) / 1e9;
        result_.server_cpu_s = static_cast<double>(cpu - cpu_began_) / 1e9;
    }
    phase_ = next;
    phase_began_ = now;
    cpu_began_ = cpu;
}

void load::on_batch(connection& c)
{
    if (receive(c) == 0 || c.received != c.sent)
        return;
    const std::int64_t now = now_ns();
    if (phase_ == phase::measuring) {
        result_.latency.record(now - c.sent_at);
        result_.lines += depth_;
        if (lines_left_ <= depth_)
            enter(phase::draining, now);
        else
            lines_left_ -= depth_;
    }
    if (phase_ == phase::draining)
        return;
    c.sent_at = now;
    send_lines(c, depth_);
}

load_result load::closed_loop(span_of_time time)
{
    return run_closed(time, ~std::uint64_t{0});
}

load_result load::closed_loop_lines(std::uint64_t lines)
{
    return run_closed({0, 1e6}, lines);
}

load_result load::run_closed(span_of_time time, std::uint64_t lines_wanted)
{
    std::array<epoll_event, 1024> events;
    begin(static_cast<int>(depth_ * line_bytes), std::max<std::size_t>(4, 2 * depth_));
    result_ = {};
    lines_left_ = lines_wanted;
    const std::int64_t began = now_ns();
    std::int64_t seen_at = began;
    enter(time.warm_up_s > 0 ? phase::warming : phase::measuring, began);
    for (auto& c : connections_) {
        c.sent_at = now_ns();
        send_lines(c, depth_);
    }
    while (in_flight()) {
        const int ready =
            ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), spin_ ? 0 : 100);
        for (int i = 0; i < ready; ++i)
            on_batch(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
        const std::int64_t now = now_ns();
        if (ready > 0)
            seen_at = now;
        else if (now - seen_at > stall_ms_max * 1'000'000ll)
            throw load_error("the server stopped answering");
        if (phase_ == phase::warming && now - began >= ns(time.warm_up_s))
            enter(phase::measuring, now);
        else if (phase_ == phase::measuring && now - phase_began_ >= ns(time.measured_s))
            enter(phase::draining, now);
    }
    result_.answered = received_ / line_bytes;
    return result_;
}

void load::on_lines(connection& c)
{
    const std::uint64_t first = c.received / line_bytes;
    if (receive(c) == 0)
        return;
    const std::int64_t now = now_ns();
    for (std::uint64_t line = first; line < c.received / line_bytes; ++line) {
        const auto order = static_cast<double>(line * connections_.size() + c.number);
        const auto meant = origin_ + static_cast<std::int64_t>(order * interval_ns_);
        if (phase_ == phase::warming || meant < phase_began_)
            continue;
        result_.latency.record(now - meant);
        ++result_.lines;
    }
    pump(c);
}

// Send what is due, as far as the window and the end of the cycle let it leave.
void load::pump(connection& c)
{
    const std::uint64_t sent = c.sent / line_bytes;
    const std::uint64_t window = open_window - (c.sent - c.received + line_bytes - 1) / line_bytes;
    const std::uint64_t contiguous = (cycle_bytes_ - c.sent % cycle_bytes_) / line_bytes;
    const std::uint64_t lines = std::min({c.due - sent, window, contiguous});
    if (lines > 0)
        send_lines(c, lines);
}

load_result load::open_loop(double rate, span_of_time time)
{
    std::array<epoll_event, 1024> events;
    begin(1, lines_max);
    result_ = {};
    interval_ns_ = 1e9 / rate;
    origin_ = now_ns();
    std::int64_t seen_at = origin_;
    std::uint64_t ordered = 0;
    const auto all = static_cast<std::uint64_t>((time.warm_up_s + time.measured_s) * rate);
    enter(phase::warming, origin_);
    while (ordered < all || in_flight()) {
        const std::int64_t now = now_ns();
        if (phase_ == phase::warming && now - origin_ >= ns(time.warm_up_s))
            enter(phase::measuring, now);
        const auto passed =
            static_cast<std::uint64_t>(static_cast<double>(now - origin_) / interval_ns_);
        for (const auto due = std::min(all, passed + 1); ordered < due; ++ordered) {
            auto& c = connections_[ordered % connections_.size()];
            ++c.due;
            pump(c);
        }
        const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < ready; ++i)
            on_lines(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
        if (ready > 0)
            seen_at = now;
        else if (in_flight() && now - seen_at > stall_ms_max * 1'000'000ll)
            throw load_error("the server stopped answering");
    }
    enter(phase::draining, now_ns());
    result_.answered = received_ / line_bytes;
    return result_;
}

} // namespace vk::bench
