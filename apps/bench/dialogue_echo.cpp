// Lines of 64 bytes, each of which comes back as it went: compared byte for byte. A connection sends
// lines of its own over and over, so that an answer on the wrong connection is seen.

#include "bench/dialogue.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t lines_max = 2 * dialogue::batch_max; // that a connection owns

void compose(char* at, std::size_t connection, std::size_t line)
{
    const auto text = fmt::format("connection {:06} line {:02} ", connection, line);
    std::memset(at, '.', line_bytes);
    std::memcpy(at, text.data(), text.size());
    at[line_bytes - 1] = '\n';
}

class echo_dialogue final : public dialogue {
public:
    void begin(std::size_t connections, std::size_t together) override
    {
        if (received_.size() != connections)
            compose_all(connections);
        std::fill(received_.begin(), received_.end(), 0);
        // Two batches, so that an answer to the one before differs; more would only use more cache.
        cycle_ = std::clamp<std::size_t>(2 * together, 4, lines_max);
    }

    batch requests(std::size_t connection, std::uint64_t first, std::size_t most) const override
    {
        const std::size_t from = first % cycle_;
        const std::size_t lines = std::min({most, cycle_ - from, batch_max});
        return {{lines_of(connection) + from * line_bytes, lines * line_bytes}, lines};
    }

    taken take(std::size_t connection, std::string_view received) override
    {
        auto& before = received_[connection];
        const std::uint64_t first = before / line_bytes;
        while (!received.empty()) {
            const std::size_t from = before % (cycle_ * line_bytes);
            const std::size_t part = std::min(received.size(), cycle_ * line_bytes - from);
            if (std::memcmp(received.data(), lines_of(connection) + from, part) != 0)
                throw load_error("an answer differs from its line");
            before += part;
            received.remove_prefix(part);
        }
        return {before / line_bytes - first, before % line_bytes != 0};
    }

    std::size_t answer_bytes() const override { return line_bytes; }

private:
    const char* lines_of(std::size_t connection) const
    {
        return &lines_[connection * lines_max * line_bytes];
    }

    void compose_all(std::size_t connections)
    {
        received_.resize(connections);
        lines_.resize(connections * lines_max * line_bytes);
        for (std::size_t i = 0; i < connections * lines_max; ++i)
            compose(&lines_[i * line_bytes], i / lines_max, i % lines_max);
    }

    std::size_t cycle_ = lines_max;       // line n of a connection is its line n % cycle
    std::vector<std::uint64_t> received_; // bytes, of each connection
    std::vector<char> lines_;
};

} // namespace

std::unique_ptr<dialogue> make_echo_dialogue()
{
    return std::make_unique<echo_dialogue>();
}

} // namespace vk::bench
