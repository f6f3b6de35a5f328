#include "vk/io/ring.hpp"

namespace vk {

void ring::move_to(char* data, std::size_t bytes) noexcept
{
    VK_ASSERT(!holds() && bytes >= size());
    iovec parts[2];
    full_parts(parts);
    std::memcpy(data, parts[0].iov_base, parts[0].iov_len);
    if (parts[1].iov_len > 0)
        std::memcpy(data + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
    scanned_ -= head_;
    tail_ -= head_;
    head_ = read_ = 0;
    touched_ = tail_;
}

std::size_t ring::read_parts(char* to, std::size_t bytes) noexcept
{
    iovec parts[2];
    full_parts(parts);
    std::size_t count = std::min(bytes, size());
    std::size_t first = std::min(count, parts[0].iov_len);
    if (first > 0)
        std::memcpy(to, parts[0].iov_base, first);
    if (count > first)
        std::memcpy(to + first, parts[1].iov_base, count - first);
    consume(count);
    return count;
}

std::size_t ring::write_parts(const char* from, std::size_t bytes) noexcept
{
    iovec parts[2];
    empty_parts(parts);
    std::size_t count = std::min(bytes, room());
    std::size_t first = std::min(count, parts[0].iov_len);
    if (first > 0)
        std::memcpy(parts[0].iov_base, from, first);
    if (count > first)
        std::memcpy(parts[1].iov_base, from + first, count - first);
    commit(count);
    return count;
}

void ring::put_back(std::string_view bytes) noexcept
{
    VK_ASSERT(!holds() && bytes.size() <= room());
    if (bytes.empty())
        return;
    if (tail_ == head_) {
        write(bytes.data(), bytes.size());
        return;
    }
    head_ -= static_cast<std::uint32_t>(bytes.size());
    read_ = scanned_ = head_;
    iovec parts[2];
    split(head_, bytes.size(), parts);
    std::memcpy(parts[0].iov_base, bytes.data(), parts[0].iov_len);
    if (parts[1].iov_len > 0)
        std::memcpy(parts[1].iov_base, bytes.data() + parts[0].iov_len, parts[1].iov_len);
    touched_ = capacity_;
}

std::size_t ring::find_line_in_parts() noexcept
{
    iovec parts[2];
    int count = split(scanned_, tail_ - scanned_, parts);
    std::size_t before = scanned_ - read_;
    for (int part = 0; part < count; ++part) {
        const auto* from = static_cast<const char*>(parts[part].iov_base);
        if (const void* found = std::memchr(from, '\n', parts[part].iov_len))
            return before + static_cast<std::size_t>(static_cast<const char*>(found) - from) + 1;
        before += parts[part].iov_len;
    }
    scanned_ = tail_;
    return 0;
}

void ring::unwrap() noexcept
{
    std::uint32_t used = tail_ - head_;
    std::uint32_t scanned = scanned_ - head_;
    std::rotate(data_, data_ + offset(head_), data_ + capacity_);
    head_ = read_ = 0;
    scanned_ = scanned;
    tail_ = used;
    touched_ = capacity_;
}

void ring::swap(ring& other) noexcept
{
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(read_, other.read_);
    std::swap(scanned_, other.scanned_);
    std::swap(tail_, other.tail_);
    std::swap(touched_, other.touched_);
}

} // namespace vk
