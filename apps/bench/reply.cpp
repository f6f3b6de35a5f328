#include "bench/reply.hpp"

#include <cstring>
#include <mutex>
#include <string>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr std::string_view end = "\r\n\r\n";

// RFC 9110, 5.6.7
std::string date_of(std::time_t second)
{
    std::tm t{};
    ::gmtime_r(&second, &t);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &t)};
}

std::string answer_at(std::time_t second)
{
    return fmt::format("HTTP/1.1 200 OK\r\n"
                       "Server: bench\r\n"
                       "Date: {}\r\n"
                       "Content-Type: text/plain\r\n"
                       "Content-Length: 13\r\n"
                       "\r\n"
                       "Hello, World!",
                       date_of(second));
}

} // namespace

http_answers::http_answers(std::size_t most) : answer_bytes_(answer_at(0).size())
{
    for (auto& each : blocks_)
        each.bytes = std::make_unique_for_overwrite<char[]>(most * answer_bytes_);
}

std::string_view http_answers::of(std::size_t count)
{
    const std::time_t now = std::time(nullptr);
    if (now != second_) {
        second_ = now;
        current_ = (current_ + 1) % blocks_.size();
        std::memcpy(blocks_[current_].bytes.get(), answer_at(now).data(), answer_bytes_);
        blocks_[current_].answers = 1;
    }
    auto& now_used = blocks_[current_];
    char* const bytes = now_used.bytes.get();
    for (; now_used.answers < count; ++now_used.answers)
        std::memcpy(bytes + now_used.answers * answer_bytes_, bytes, answer_bytes_);
    return {bytes, count * answer_bytes_};
}

void http_requests::step(char next)
{
    matched_ = next == end[matched_] ? matched_ + 1 : (next == '\r' ? 1 : 0);
}

std::size_t http_requests::operator()(std::string_view received)
{
    std::size_t ends = 0;
    while (matched_ > 0 && !received.empty()) { // what the last bytes may have begun
        step(received.front());
        received.remove_prefix(1);
        if (matched_ == end.size()) {
            matched_ = 0;
            ++ends;
        }
    }
    for (std::size_t at; (at = received.find(end)) != received.npos; ++ends)
        received.remove_prefix(at + end.size());
    const auto unseen = received.size() < end.size() ? received.size() : end.size() - 1;
    for (const char next : received.substr(received.size() - unseen))
        step(next);
    return ends;
}

std::string_view http_reply::operator()(std::string_view received)
{
    static http_answers answers(read_bytes / end.size());
    return answers.of(requests_(received));
}

// What was returned stays as it is while others are rendered.
std::string_view http_reply_of_threads::operator()(std::string_view received)
{
    static std::mutex turn;
    static http_answers answers(read_bytes / end.size());
    const std::size_t count = requests_(received);
    const std::scoped_lock lock(turn);
    return answers.of(count);
}

} // namespace vk::bench
