#pragma once

// ring: the I/O vector ring buffer.
//
// Bytes go in at the tail and out at the head, in one or two contiguous parts each, which readv(2) and
// writev(2) take as they are. The ring owns no memory: storage is attached while it holds bytes (socket).
// Bytes that were handed to a reader by reference stay in place, `held`, until the reader comes back.
//
//                 head            head+held              head+used          (modulo capacity)
//   ... empty ... | held by reader | readable ............ | ... empty ...
//
// Invariants
//   0 <= held <= used <= capacity
//   head < capacity, or both are 0
//   used = 0  implies  head = 0            an empty ring starts over, so that small traffic never wraps
//   scanned <= used - held                 readable bytes known to hold no newline
//   touched = the end of the highest byte written since attach(), what must be scrubbed

#include "vk/base/assert.hpp"

#include <algorithm>
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

    /// Use `bytes` of memory at `data`, in place of the present storage, whose bytes move there in order. There
    /// must be room for them, and nothing may be held.
    void attach(char* data, std::size_t bytes) noexcept;

    /// Let go of the storage of an empty ring. Returns how many of its first bytes were written.
    std::size_t detach() noexcept;

    bool attached() const noexcept { return data_ != nullptr; }
    char* data() const noexcept { return data_; }
    std::size_t capacity() const noexcept { return capacity_; }

    // --- reading

    /// Bytes that can be read.
    std::size_t size() const noexcept { return used_ - held_; }

    /// Bytes in the ring, held ones included.
    std::size_t used() const noexcept { return used_; }

    /// The readable bytes as one or two parts; returns how many.
    int full_parts(iovec parts[2]) const noexcept
    {
        return split(wrap(head_ + held_), used_ - held_, parts);
    }

    /// The contiguous readable bytes at the head.
    std::string_view front() const noexcept
    {
        std::size_t at = wrap(head_ + held_);
        return {data_ + at, std::min<std::size_t>(used_ - held_, capacity_ - at)};
    }

    /// Copy up to `bytes` readable bytes to `to` and consume them; returns how many.
    std::size_t read(char* to, std::size_t bytes) noexcept;

    /// Drop `bytes` readable bytes. Nothing may be held.
    void consume(std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(held_ == 0 && bytes <= used_);
        used_ -= static_cast<std::uint32_t>(bytes);
        head_ = used_ == 0 ? 0 : wrap(head_ + bytes);
        scanned_ = scanned_ > bytes ? scanned_ - static_cast<std::uint32_t>(bytes) : 0;
    }

    /// Length of the first line with its newline, or 0 when the readable bytes hold none. Bytes are scanned
    /// once, however often this is called.
    std::size_t find_line() noexcept
    {
        if (scanned_ == used_ - held_)
            return 0;
        return find_newline();
    }

    /// Hand the first `bytes` readable bytes to the reader by reference. They are rotated to be contiguous if
    /// they wrap, and stay in place until release().
    std::string_view hold(std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(held_ == 0 && bytes <= used_);
        if (head_ + bytes > capacity_) [[unlikely]]
            unwrap();
        held_ = static_cast<std::uint32_t>(bytes);
        scanned_ = 0;
        return {data_ + head_, bytes};
    }

    /// The reader is done with what it holds.
    void release() noexcept
    {
        std::uint32_t bytes = held_;
        held_ = 0;
        used_ -= bytes;
        head_ = used_ == 0 ? 0 : wrap(head_ + bytes);
    }

    bool holds() const noexcept { return held_ != 0; }

    // --- writing

    /// Bytes that can be written.
    std::size_t room() const noexcept { return capacity_ - used_; }

    /// The empty space as one or two parts; returns how many.
    int empty_parts(iovec parts[2]) const noexcept
    {
        return split(wrap(head_ + used_), capacity_ - used_, parts);
    }

    /// The contiguous empty space at the tail.
    std::span<char> back() const noexcept
    {
        std::size_t at = wrap(head_ + used_);
        return {data_ + at, std::min<std::size_t>(capacity_ - used_, capacity_ - at)};
    }

    /// `bytes` were written into empty_parts() or back().
    void commit(std::size_t bytes) noexcept
    {
        VK_DEBUG_ASSERT(bytes <= room());
        std::size_t end = head_ + used_ + bytes;
        touched_ =
            end > capacity_ ? capacity_ : std::max(touched_, static_cast<std::uint32_t>(end));
        used_ += static_cast<std::uint32_t>(bytes);
    }

    /// Copy up to `bytes` bytes from `from`; returns how many there was room for.
    std::size_t write(const char* from, std::size_t bytes) noexcept
    {
        std::size_t count = std::min(bytes, room());
        std::size_t at = wrap(head_ + used_);
        std::size_t first = std::min<std::size_t>(count, capacity_ - at);
        if (count == 0)
            return 0;
        std::memcpy(data_ + at, from, first);
        if (first < count) [[unlikely]]
            std::memcpy(data_, from + first, count - first);
        commit(count);
        return count;
    }

    /// Exchange contents and storage.
    void swap(ring& other) noexcept;

private:
    std::size_t wrap(std::size_t at) const noexcept
    {
        return at >= capacity_ ? at - capacity_ : at;
    }
    int split(std::size_t at, std::size_t bytes, iovec parts[2]) const noexcept
    {
        std::size_t first = std::min<std::size_t>(bytes, capacity_ - at);
        parts[0] = {data_ + at, first};
        parts[1] = {data_, bytes - first};
        return bytes == 0 ? 0 : (first < bytes ? 2 : 1);
    }

    std::size_t find_newline() noexcept;
    void unwrap() noexcept;

    char* data_ = nullptr;
    std::uint32_t capacity_ = 0;
    std::size_t head_ = 0;
    std::uint32_t used_ = 0;
    std::uint32_t held_ = 0;
    std::uint32_t scanned_ = 0;
    std::uint32_t touched_ = 0;
};

} // namespace vk
