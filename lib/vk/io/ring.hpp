#pragma once

// ring: the I/O vector ring buffer.
//
// Bytes go in at the tail and out at the head, in one or two contiguous parts each, which readv(2) and
// writev(2) take as they are. The ring owns no memory: storage is attached while it holds bytes (buffer).
// Bytes that were handed to a reader by reference stay in place, held, until the reader comes back.
//
//       head             read                  tail             (positions; modulo capacity, offsets)
//   ... | held by reader | readable .......... | room ...
//
// Positions run freely and wrap with their type; the capacity is a power of two, so that a mask turns them
// into offsets and a subtraction into lengths.
//
// Invariants
//   head <= read <= scanned <= tail <= head + capacity
//   head = tail  implies  head = 0         an empty ring starts over, so that small traffic never wraps
//   no newline lies in [read, scanned)
//   touched = the end of the highest byte written since attach(), what must be scrubbed

#include "vk/base/assert.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include <sys/uio.h>

namespace vk {

class ring {
public:
    ring() = default;
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    // --- storage

    /// Use `bytes` of memory at `data`, a power of two, in place of the present storage, whose bytes move there
    /// in order. There must be room for them, and nothing may be held.
    void attach(char* data, std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(std::has_single_bit(bytes));
        if (tail_ != head_) [[unlikely]]
            move_to(data, bytes);
        data_ = data;
        capacity_ = static_cast<std::uint32_t>(bytes);
    }

    /// Let go of the storage of an empty ring. Returns how many of its first bytes were written.
    std::size_t detach() noexcept
    {
        VK_DEBUG_ASSERT(head_ == tail_);
        std::size_t touched = std::min(touched_, capacity_);
        data_ = nullptr;
        capacity_ = 0;
        touched_ = 0;
        return touched;
    }

    bool attached() const noexcept { return data_ != nullptr; }
    char* data() const noexcept { return data_; }
    std::size_t capacity() const noexcept { return capacity_; }

    // --- reading

    /// Bytes that can be read.
    std::size_t size() const noexcept { return tail_ - read_; }

    /// Bytes in the ring, held ones included.
    std::size_t used() const noexcept { return tail_ - head_; }

    /// The readable bytes as one or two parts; returns how many.
    int full_parts(iovec parts[2]) const noexcept { return split(read_, size(), parts); }

    /// The contiguous readable bytes at the head.
    std::string_view front() const noexcept
    {
        std::size_t at = offset(read_);
        return {data_ + at, std::min(size(), capacity_ - at)};
    }

    /// Copy up to `bytes` readable bytes to `to` and consume them; returns how many. Nothing may be held.
    std::size_t read(char* to, std::size_t bytes) noexcept
    {
        std::string_view bytes_at_hand = front();
        if (bytes <= bytes_at_hand.size()) [[likely]] {
            if (bytes > 0)
                std::memcpy(to, bytes_at_hand.data(), bytes);
            consume(bytes);
            return bytes;
        }
        return read_parts(to, bytes);
    }

    /// Drop `bytes` readable bytes. Nothing may be held.
    void consume(std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(!holds() && bytes <= size());
        read_ += static_cast<std::uint32_t>(bytes);
        if (static_cast<std::int32_t>(scanned_ - read_) < 0)
            scanned_ = read_;
        release();
    }

    /// Length of the first line with its newline, or 0 when the readable bytes hold none. Bytes are scanned
    /// once, however often this is called.
    std::size_t find_line() noexcept
    {
        if (scanned_ == tail_)
            return 0;
        std::size_t at = offset(read_);
        if (at + size() > capacity_) [[unlikely]]
            return find_line_in_parts();
        const char* from = data_ + offset(scanned_);
        const void* found = std::memchr(from, '\n', tail_ - scanned_);
        if (!found) {
            scanned_ = tail_;
            return 0;
        }
        return static_cast<std::size_t>(static_cast<const char*>(found) - (data_ + at)) + 1;
    }

    /// Hand the first `bytes` readable bytes to the reader by reference. They are rotated to be contiguous if
    /// they wrap, and stay in place, as held(), until release(). Nothing may be held.
    std::string_view hold(std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(!holds() && bytes <= size());
        if (offset(read_) + bytes > capacity_) [[unlikely]]
            unwrap();
        read_ += static_cast<std::uint32_t>(bytes);
        scanned_ = read_;
        return held();
    }

    /// All readable bytes in one piece: they are rotated if they wrap. Nothing may be held.
    std::string_view whole() noexcept
    {
        VK_DEBUG_ASSERT(!holds());
        if (offset(read_) + size() > capacity_) [[unlikely]]
            unwrap();
        return {data_ + offset(read_), size()};
    }

    /// The reader is done with what it holds.
    void release() noexcept
    {
        head_ = read_;
        if (head_ == tail_)
            head_ = read_ = scanned_ = tail_ = 0;
    }

    bool holds() const noexcept { return head_ != read_; }

    /// What the reader holds.
    std::string_view held() const noexcept { return {data_ + offset(head_), read_ - head_}; }

    // --- writing

    /// Bytes that can be written.
    std::size_t room() const noexcept { return capacity_ - (tail_ - head_); }

    /// The empty space as one or two parts; returns how many.
    int empty_parts(iovec parts[2]) const noexcept { return split(tail_, room(), parts); }

    /// The contiguous empty space at the tail.
    std::span<char> back() const noexcept
    {
        std::size_t at = offset(tail_);
        return {data_ + at, std::min(room(), capacity_ - at)};
    }

    /// `bytes` were written into empty_parts() or back().
    void commit(std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(bytes <= room());
        tail_ += static_cast<std::uint32_t>(bytes);
        touched_ = std::max(touched_, tail_ >= head_ ? tail_ : capacity_);
    }

    /// back() was written into without a commit(): it must be scrubbed too.
    void touch_back() noexcept { touched_ = capacity_; }

    /// Copy up to `bytes` bytes from `from`; returns how many there was room for.
    std::size_t write(const char* from, std::size_t bytes) noexcept
    {
        std::span<char> to = back();
        if (bytes <= to.size()) [[likely]] {
            if (bytes > 0)
                std::memcpy(to.data(), from, bytes);
            commit(bytes);
            return bytes;
        }
        return write_parts(from, bytes);
    }

    /// Put `bytes`, which were read, before what is still to be read. There must be room, and nothing may be held.
    void put_back(std::string_view bytes) noexcept;

    /// Exchange contents and storage.
    void swap(ring& other) noexcept;

private:
    std::size_t offset(std::uint32_t position) const noexcept { return position & (capacity_ - 1); }
    int split(std::uint32_t position, std::size_t bytes, iovec parts[2]) const noexcept
    {
        std::size_t at = offset(position);
        std::size_t first = std::min(bytes, capacity_ - at);
        parts[0] = {data_ + at, first};
        parts[1] = {data_, bytes - first};
        return bytes == 0 ? 0 : 1 + (first < bytes);
    }

    void move_to(char* data, std::size_t bytes) noexcept;
    std::size_t read_parts(char* to, std::size_t bytes) noexcept;
    std::size_t write_parts(const char* from, std::size_t bytes) noexcept;
    std::size_t find_line_in_parts() noexcept;
    void unwrap() noexcept;

    char* data_ = nullptr;
    std::uint32_t capacity_ = 0;
    std::uint32_t head_ = 0;
    std::uint32_t read_ = 0;
    std::uint32_t scanned_ = 0;
    std::uint32_t tail_ = 0;
    std::uint32_t touched_ = 0;
};

} // namespace vk
