#pragma once

// fields: the field lines of a head, walked where they are (RFC 9110, 5; RFC 9112, 5). Nothing is stored: a
// head has few fields, a handler asks for fewer, and the bytes are in cache. So the block must be one that a
// parser has taken: lines of a name, ':' and a value without control characters, each ended by CRLF.

#include "vk/gateway/http1/ascii.hpp"

#include <cstddef>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>

namespace vk::http {

struct field {
    std::string_view name;
    std::string_view value; ///< without the whitespace around it (RFC 9112, 5.1)
};

class fields {
public:
    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = field;
        using difference_type = std::ptrdiff_t;

        iterator() = default;

        field operator*() const noexcept
        {
            const char* colon = static_cast<const char*>(std::memchr(at_, ':', bytes_left()));
            return {{at_, colon}, fields::value_behind(colon + 1, end_)};
        }
        iterator& operator++() noexcept
        {
            at_ = fields::next_line(at_, end_);
            return *this;
        }
        iterator operator++(int) noexcept
        {
            iterator was = *this;
            ++*this;
            return was;
        }
        bool operator==(const iterator& other) const noexcept { return at_ == other.at_; }

    private:
        friend class fields;
        iterator(const char* at, const char* end) noexcept : at_{at}, end_{end} {}
        std::size_t bytes_left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

        const char* at_ = nullptr;
        const char* end_ = nullptr;
    };

    fields() = default;
    explicit fields(std::string_view validated) noexcept : block_{validated} {}

    iterator begin() const noexcept { return {block_.data(), end_of_block()}; }
    iterator end() const noexcept { return {end_of_block(), end_of_block()}; }
    bool empty() const noexcept { return block_.empty(); }

    /// The value of the first field of that name (case-insensitive, RFC 9110, 5.1).
    std::optional<std::string_view> find(std::string_view name) const noexcept
    {
        const char* end = end_of_block();
        for (const char* at = block_.data(); at != end; at = next_line(at, end)) {
            // A line ends in CRLF: the byte after the name is looked at only if it is within the block.
            if (static_cast<std::size_t>(end - at) > name.size() && at[name.size()] == ':' &&
                ascii::equal({at, name.size()}, name))
                return value_behind(at + name.size() + 1, end);
        }
        return std::nullopt;
    }

    /// The lines as they were received.
    std::string_view bytes() const noexcept { return block_; }

private:
    const char* end_of_block() const noexcept { return block_.data() + block_.size(); }

    static const char* next_line(const char* at, const char* end) noexcept
    {
        return static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at))) +
               1;
    }
    static std::string_view value_behind(const char* at, const char* end) noexcept
    {
        auto* cr =
            static_cast<const char*>(std::memchr(at, '\r', static_cast<std::size_t>(end - at)));
        return ascii::trim({at, cr});
    }

    std::string_view block_;
};

} // namespace vk::http
