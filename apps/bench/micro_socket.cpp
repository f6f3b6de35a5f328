// What a satisfied operation costs: a read, a line or a write that the ring serves at once.
//
// 128 lines of 64 bytes lie ready and are taken one by one; bringing the next 128 is not timed,
// neither for a socket nor for the baseline, which is a linear buffer handled by hand. Lines of a
// socket come from another one of the same process, so that no system call is near.

#include "bench/in_process.hpp"
#include "bench/micro.hpp"

#include "vk/io/socket.hpp"

#include <array>
#include <cstring>

namespace vk::bench {

namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t batch_lines = 128;

using batch = std::array<char, batch_lines * line_bytes>;

const batch& many_lines()
{
    static const batch all = [] {
        batch made;
        made.fill('.');
        for (std::size_t end = line_bytes; end <= made.size(); end += line_bytes)
            made[end - 1] = '\n';
        return made;
    }();
    return all;
}

/// Adds up spans of time.
class stopwatch {
public:
    void start() noexcept { began_ = now_ns(); }
    void stop() noexcept { elapsed_ += now_ns() - began_; }
    std::int64_t elapsed() const noexcept { return elapsed_; }

private:
    std::int64_t began_ = 0;
    std::int64_t elapsed_ = 0;
};

/// `each_line(buffer, head)` for 128 lines at a time, of a buffer filled before.
template <class Operation>
timing by_hand(Operation each_line)
{
    return [each_line](std::uint64_t n) {
        static batch buffer;
        stopwatch watch;
        for (std::uint64_t done = 0; done < n; done += batch_lines) {
            buffer = many_lines();
            disturb_memory();
            watch.start();
            for (std::size_t head = 0; head < buffer.size(); head += line_bytes)
                each_line(buffer, head);
            watch.stop();
        }
        return watch.elapsed();
    };
}

void read_by_hand(batch& buffer, std::size_t head)
{
    static std::array<char, line_bytes> out;
    std::size_t length = line_bytes;
    disturb(length);
    std::memcpy(out.data(), buffer.data() + head, length);
    keep(out);
}

void find_by_hand(batch& buffer, std::size_t head)
{
    keep(std::memchr(buffer.data() + head, '\n', buffer.size() - head));
}

void line_by_hand(batch& buffer, std::size_t head)
{
    static batch out;
    const char* from = buffer.data() + head;
    const auto* end = static_cast<const char*>(std::memchr(from, '\n', buffer.size() - head));
    std::memcpy(out.data(), from, static_cast<std::size_t>(end - from) + 1);
    keep(out);
}

void write_by_hand(batch& buffer, std::size_t head)
{
    std::size_t length = line_bytes;
    disturb(length);
    std::memcpy(buffer.data() + head, many_lines().data(), length);
    disturb_memory();
}

task<> read_loop(std::uint64_t n, std::int64_t& elapsed)
{
    socket writer, reader;
    bind(writer, reader);
    std::array<char, line_bytes> out;
    stopwatch watch;
    for (std::uint64_t done = 0; done < n; done += batch_lines) {
        co_await writer.write({many_lines().data(), many_lines().size()});
        co_await reader.poll_read();
        watch.start();
        for (std::size_t i = 0; i < batch_lines; ++i) {
            co_await reader.read(std::span(out));
            keep(out);
        }
        watch.stop();
    }
    elapsed = watch.elapsed();
}

task<> line_loop(std::uint64_t n, std::int64_t& elapsed)
{
    socket writer, reader;
    bind(writer, reader);
    stopwatch watch;
    for (std::uint64_t done = 0; done < n; done += batch_lines) {
        co_await writer.write({many_lines().data(), many_lines().size()});
        co_await reader.poll_read();
        watch.start();
        for (std::size_t i = 0; i < batch_lines; ++i) {
            auto line = co_await reader.readline();
            keep(line->data());
        }
        watch.stop();
    }
    elapsed = watch.elapsed();
}

task<> copied_line_loop(std::uint64_t n, std::int64_t& elapsed)
{
    socket writer, reader;
    bind(writer, reader);
    static batch out;
    stopwatch watch;
    for (std::uint64_t done = 0; done < n; done += batch_lines) {
        co_await writer.write({many_lines().data(), many_lines().size()});
        co_await reader.poll_read();
        watch.start();
        for (std::size_t i = 0; i < batch_lines; ++i) {
            auto line = co_await reader.readline();
            std::memcpy(out.data(), line->data(), line->size());
            keep(out);
        }
        watch.stop();
    }
    elapsed = watch.elapsed();
}

task<> write_loop(std::uint64_t n, std::int64_t& elapsed)
{
    socket writer, reader;
    bind(writer, reader);
    static batch out;
    std::size_t length = line_bytes;
    stopwatch watch;
    for (std::uint64_t done = 0; done < n; done += batch_lines) {
        watch.start();
        for (std::size_t i = 0; i < batch_lines; ++i) {
            disturb(length);
            co_await writer.write({many_lines().data(), length});
        }
        watch.stop();
        co_await reader.read(std::span(out));
    }
    elapsed = watch.elapsed();
}

} // namespace

topics socket_topics()
{
    return {
        {"satisfied read, 64 bytes",
         {{"memcpy", by_hand(read_by_hand)}, {"vk::socket::read", in_process(read_loop)}}},
        {"satisfied readline, 64 bytes",
         {{"memchr + memcpy", by_hand(line_by_hand)},
          {"vk readline", in_process(line_loop)},
          {"vk readline + memcpy", in_process(copied_line_loop)},
          {"memchr", by_hand(find_by_hand)}}},
        {"satisfied write, 64 bytes",
         {{"memcpy", by_hand(write_by_hand)}, {"vk::socket::write", in_process(write_loop)}}},
    };
}

} // namespace vk::bench
