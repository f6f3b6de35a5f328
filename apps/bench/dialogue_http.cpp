// HTTP/1.1 as a client: the same GET over and over, and answers counted whole.
//
// Only `HTTP/1.1 200` with one Content-Length (RFC 9112, 6.2) is an answer; its body is counted to
// the last byte. To read every head would make this client slower than some of its servers, so the
// last answer that was read is the model of the next: the same bytes are the same answer, and what
// differs (a Date, once a second) is read and becomes the model.

#include "bench/dialogue.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>
#include <vector>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr std::size_t head_bytes_max = 16 * 1024;
constexpr std::size_t model_bytes_max =
    4 * 1024; // a longer answer costs its server more than this client
constexpr std::string_view end_of_head = "\r\n\r\n";

// What Firefox sends for a page of its own origin, cookies included.
constexpr std::string_view browser_headers =
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: http://localhost:8080/index.html\r\n"
    "Cookie: session=7f3b1c9ad2e84f60b5a1c7d9e0f24863; theme=dark; consent=essential\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Priority: u=0, i\r\n";

std::string compose(const traffic& kind)
{
    // The same bytes for every server: its port is not in them.
    return fmt::format("GET {} HTTP/1.1\r\nHost: localhost:8080\r\n{}{}\r\n", kind.path,
                       kind.browser ? browser_headers : "",
                       kind.close ? "Connection: close\r\n"
                                  : (kind.browser ? "Connection: keep-alive\r\n" : ""));
}

bool same_word(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t");
    if (first == text.npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

struct head {
    std::uint64_t body_bytes = 0;
    bool closes = false;
};

std::uint64_t to_length(std::string_view text)
{
    std::uint64_t value = 0;
    const auto end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || last != end || error != std::errc())
        throw load_error(fmt::format("an answer's Content-Length is '{}'", text));
    return value;
}

// `text` begins with the status line and ends with the empty line.
head parse(std::string_view text)
{
    constexpr std::string_view good = "HTTP/1.1 200";
    const auto line_end = text.find("\r\n");
    if (!text.starts_with(good) || (text[good.size()] != ' ' && line_end != good.size()))
        throw load_error(
            fmt::format("an answer is '{}'", text.substr(0, std::min<std::size_t>(line_end, 60))));
    head result;
    int lengths = 0;
    for (text.remove_prefix(line_end + 2); text != "\r\n";) {
        const auto line = text.substr(0, text.find("\r\n"));
        text.remove_prefix(line.size() + 2);
        const auto name = line.substr(0, line.find(':'));
        const auto value = trimmed(line.substr(std::min(line.size(), name.size() + 1)));
        if (same_word(name, "Content-Length")) {
            result.body_bytes = to_length(value);
            ++lengths;
        } else if (same_word(name, "Transfer-Encoding")) {
            throw load_error(fmt::format("an answer's Transfer-Encoding is '{}'", value));
        } else if (same_word(name, "Connection")) {
            result.closes = same_word(value, "close");
        }
    }
    if (lengths != 1)
        throw load_error(fmt::format("an answer has {} Content-Length", lengths));
    return result;
}

class http_dialogue final : public dialogue {
public:
    explicit http_dialogue(const traffic& kind) : request_bytes_(compose(kind).size())
    {
        const auto one = compose(kind);
        for (std::size_t i = 0; i < batch_max; ++i)
            requests_ += one;
    }

    void begin(std::size_t connections, std::size_t) override { streams_.assign(connections, {}); }

    batch requests(std::size_t, std::uint64_t, std::size_t most) const override
    {
        const auto count = std::min(most, batch_max);
        return {{requests_.data(), count * request_bytes_}, count};
    }

    taken take(std::size_t connection, std::string_view received) override
    {
        auto& from = streams_[connection];
        taken result;
        while (!received.empty()) {
            if (!model_.empty() && from.between() && received.starts_with(model_)) {
                received.remove_prefix(model_.size());
                ++result.answers;
                continue;
            }
            const std::size_t used =
                from.body_left > 0 ? take_body(from, received) : take_head(from, received);
            received.remove_prefix(used);
            result.answers += from.between() ? 1u : 0u;
        }
        result.partial = !from.between();
        return result;
    }

    std::size_t answer_bytes() const override { return answer_bytes_; }
    bool closes() const override { return closes_; }

private:
    struct stream {
        std::string head;            // the part of a head that came
        std::uint64_t body_left = 0; // bytes of a body that have not come

        bool between() const noexcept { return head.empty() && body_left == 0; }
    };

    static std::size_t take_body(stream& from, std::string_view received)
    {
        const auto part = std::min<std::uint64_t>(from.body_left, received.size());
        from.body_left -= part;
        return part;
    }

    std::size_t take_head(stream& from, std::string_view received)
    {
        const std::size_t before = from.head.size();
        auto text = received;
        if (before > 0)
            text = from.head.append(received.substr(0, head_bytes_max));
        const auto end = text.find(end_of_head);
        if (end == text.npos) {
            if (before == 0)
                from.head = received;
            if (from.head.size() >= head_bytes_max)
                throw load_error("an answer's head has no end");
            return received.size();
        }
        const auto head_bytes = end + end_of_head.size();
        const auto read = parse(text.substr(0, head_bytes));
        answer_bytes_ = head_bytes + read.body_bytes;
        closes_ = read.closes;
        model_.clear();
        if (before == 0 && answer_bytes_ <= std::min(model_bytes_max, received.size()))
            model_ = received.substr(0, answer_bytes_);
        from.body_left = read.body_bytes;
        from.head.clear();
        return head_bytes - before;
    }

    std::string requests_; // batch_max times the same
    std::size_t request_bytes_;
    std::vector<stream> streams_; // of each connection
    std::string model_;           // the last answer that was read; empty: none, or it was too long
    std::size_t answer_bytes_ = 0;
    bool closes_ = false; // of the last answer that was read, and so of those like it
};

} // namespace

std::unique_ptr<dialogue> make_http_dialogue(const traffic& kind)
{
    return std::make_unique<http_dialogue>(kind);
}

} // namespace vk::bench
