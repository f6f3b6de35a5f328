#pragma once

// reply: what the baselines answer, whatever they were written with.
//
// A Reply belongs to a connection, is called with what came, and says what goes out; nothing where
// no request has become whole. `read_bytes` is the most that one call may be given.

#include <array>
#include <cstddef>
#include <ctime>
#include <memory>
#include <string_view>

namespace vk::bench {

/// Every byte that comes in goes out again.
struct echo_reply {
    static constexpr std::size_t read_bytes = 64 * 1024;

    std::string_view operator()(std::string_view received) const { return received; }
};

/// The same answer many times over, as one block that goes out by one write and no copy.
///
/// Its Date is rendered once a second, into a block that was not in use for some seconds: a write
/// that is under way keeps its bytes.
class http_answers {
public:
    /// `count` answers, at most `most`.
    std::string_view of(std::size_t count);

    explicit http_answers(std::size_t most);

private:
    struct block {
        std::unique_ptr<char[]> bytes;
        std::size_t answers = 0; // rendered
    };

    std::array<block, 8> blocks_;
    std::size_t current_ = 0;
    std::time_t second_ = 0;
    std::size_t answer_bytes_ = 0;
};

/// Counts the empty lines that end a request, wherever the stream was cut, and looks at nothing
/// else: no server that parses can do less.
class http_requests {
public:
    /// How many became whole.
    std::size_t operator()(std::string_view received);

private:
    void step(char next);

    unsigned matched_ = 0; // of "\r\n\r\n", by the last bytes that came
};

class http_reply {
public:
    static constexpr std::size_t read_bytes = 16 * 1024;

    std::string_view operator()(std::string_view received);

private:
    http_requests requests_;
};

/// The same for connections on several threads, which share the answers.
class http_reply_of_threads {
public:
    static constexpr std::size_t read_bytes = http_reply::read_bytes;

    std::string_view operator()(std::string_view received);

private:
    http_requests requests_;
};

} // namespace vk::bench
