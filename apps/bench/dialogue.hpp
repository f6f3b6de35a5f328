#pragma once

// dialogue: what the clients of the load generator say, and what they take for an answer.
//
// The generator knows requests and whole answers, when they leave and when they come; a dialogue
// knows their bytes. It checks each answer, however the stream was cut into pieces: what is not the
// answer that was asked for is a load_error, and never counted.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vk::bench {

/// The server answered wrongly, not at all, or could not be reached.
struct load_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class protocol { echo, http };

/// What a request is called in a table.
constexpr const char* unit_of(protocol spoken)
{
    return spoken == protocol::echo ? "line" : "request";
}

/// What is asked, and how. All but `spoken` is of HTTP.
struct traffic {
    protocol spoken = protocol::echo;
    std::string path = "/plaintext";
    bool browser = false; // the headers that a browser sends, about 600 bytes
    bool close = false;   // a connection for each request
};

/// Requests, one after the other in memory.
struct batch {
    std::string_view bytes;
    std::size_t requests = 0;
};

struct taken {
    std::size_t answers = 0; // those that became whole
    bool partial = false;    // a part of another came too
};

class dialogue {
public:
    virtual ~dialogue() = default;

    /// Most requests that one batch holds, whatever is asked for.
    static constexpr std::size_t batch_max = 32;

    /// A run begins: connections 0 to `connections` - 1 are at request 0, owed no answer, and send
    /// `together` requests at a time, or fewer.
    virtual void begin(std::size_t connections, std::size_t together) = 0;

    /// Requests of a connection from number `first` on, `most` or fewer, at least one. Valid until
    /// the next begin().
    virtual batch requests(std::size_t connection, std::uint64_t first, std::size_t most) const = 0;

    /// What came on a connection. Throws load_error.
    virtual taken take(std::size_t connection, std::string_view received) = 0;

    /// Bytes of the last whole answer.
    virtual std::size_t answer_bytes() const = 0;

    /// The last answer said that the server closes the connection.
    virtual bool closes() const { return false; }
};

std::unique_ptr<dialogue> make_dialogue(const traffic& kind);

std::unique_ptr<dialogue> make_echo_dialogue();
std::unique_ptr<dialogue> make_http_dialogue(const traffic& kind);

} // namespace vk::bench
