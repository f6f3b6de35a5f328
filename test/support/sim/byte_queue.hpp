#pragma once

// byte_queue: the bytes on their way in one direction of a stream or a pipe, no more than its capacity.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include <sys/uio.h>

namespace vk::sim {

class byte_queue {
public:
    explicit byte_queue(std::size_t capacity) noexcept : capacity_{capacity} {}

    std::size_t size() const noexcept { return bytes_.size() - head_; }
    std::size_t capacity() const noexcept { return capacity_; }
    std::size_t room() const noexcept { return size() < capacity_ ? capacity_ - size() : 0; }
    bool empty() const noexcept { return size() == 0; }

    /// May be set below the size: then there is no room until enough was taken.
    void set_capacity(std::size_t capacity) noexcept { capacity_ = capacity; }

    /// Take in as much of the parts as there is room for; how much that was.
    std::size_t put(const iovec* parts, int count)
    {
        const std::size_t before = size();
        for (int i = 0; i < count; ++i) {
            const std::size_t bytes = std::min(parts[i].iov_len, room());
            bytes_.append(static_cast<const char*>(parts[i].iov_base), bytes);
        }
        return size() - before;
    }

    /// Fill the parts from the head; how much that was.
    std::size_t take(const iovec* parts, int count)
    {
        const std::size_t before = size();
        for (int i = 0; i < count; ++i) {
            const std::size_t bytes = std::min(parts[i].iov_len, size());
            if (bytes != 0)
                std::memcpy(parts[i].iov_base, bytes_.data() + head_, bytes);
            head_ += bytes;
        }
        compact();
        return before - size();
    }

    void clear() noexcept
    {
        bytes_.clear();
        head_ = 0;
    }

private:
    void compact()
    {
        constexpr std::size_t worth_moving = 4096;
        if (head_ == bytes_.size()) {
            clear();
        } else if (head_ >= worth_moving && head_ >= bytes_.size() / 2) {
            bytes_.erase(0, head_);
            head_ = 0;
        }
    }

    std::size_t capacity_;
    std::size_t head_ = 0;
    std::string bytes_;
};

} // namespace vk::sim
