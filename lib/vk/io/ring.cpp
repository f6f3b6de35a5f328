#include "vk/io/ring.hpp"

namespace vk {

void ring::attach(char* data, std::size_t bytes) noexcept
{
    VK_ASSERT(held_ == 0 && bytes >= used_);
    iovec parts[2];
    int count = full_parts(parts);
    char* to = data;
    for (int part = 0; part < count; ++part) {
        std::memcpy(to, parts[part].iov_base, parts[part].iov_len);
        to += parts[part].iov_len;
    }
    data_ = data;
    capacity_ = static_cast<std::uint32_t>(bytes);
    head_ = 0;
    touched_ = used_;
}

std::size_t ring::detach() noexcept
{
    VK_ASSERT(used_ == 0);
    data_ = nullptr;
    capacity_ = 0;
    return std::exchange(touched_, 0);
}

std::size_t ring::read(char* to, std::size_t bytes) noexcept
{
    iovec parts[2];
    int count = full_parts(parts);
    std::size_t copied = 0;
    for (int part = 0; part < count && copied < bytes; ++part) {
        std::size_t now = std::min(bytes - copied, parts[part].iov_len);
        std::memcpy(to + copied, parts[part].iov_base, now);
        copied += now;
    }
    consume(copied);
    return copied;
}

std::size_t ring::find_newline() noexcept
{
    iovec parts[2];
    int count = full_parts(parts);
    std::size_t before = 0; // readable bytes in the parts already passed
    for (int part = 0; part < count; ++part) {
        const char* bytes = static_cast<const char*>(parts[part].iov_base);
        std::size_t length = parts[part].iov_len;
        std::size_t skip = scanned_ > before ? std::min<std::size_t>(scanned_ - before, length) : 0;
        if (const void* found = std::memchr(bytes + skip, '\n', length - skip))
            return before + static_cast<std::size_t>(static_cast<const char*>(found) - bytes) + 1;
        before += length;
    }
    scanned_ = used_ - held_;
    return 0;
}

void ring::unwrap() noexcept
{
    std::rotate(data_, data_ + head_, data_ + capacity_);
    head_ = 0;
    touched_ = capacity_;
}

void ring::swap(ring& other) noexcept
{
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(used_, other.used_);
    std::swap(held_, other.held_);
    std::swap(scanned_, other.scanned_);
    std::swap(touched_, other.touched_);
}

} // namespace vk
