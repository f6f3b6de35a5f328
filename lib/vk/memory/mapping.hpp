#pragma once

// mapping: private anonymous memory from the system, given back when it goes out of scope.

#include "vk/base/os.hpp"

#include <cstddef>
#include <utility>

namespace vk {

class mapping {
public:
    mapping() = default;

    /// Map at least `bytes`, rounded up to whole system pages. Throws vk::error (ENOMEM).
    explicit mapping(std::size_t bytes, os::access rights = os::access::read_write);

    mapping(mapping&& other) noexcept
        : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0))
    {
    }
    mapping& operator=(mapping&& other) noexcept
    {
        std::swap(base_, other.base_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~mapping();

    std::byte* base() const noexcept { return base_; }
    std::size_t bytes() const noexcept { return bytes_; }
    explicit operator bool() const noexcept { return base_ != nullptr; }
    bool contains(const void* at) const noexcept { return at >= base_ && at < base_ + bytes_; }

private:
    std::byte* base_ = nullptr;
    std::size_t bytes_ = 0;
};

/// `bytes` rounded up to a multiple of `unit`, a power of two.
constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) noexcept
{
    return (bytes + unit - 1) & ~(unit - 1);
}

} // namespace vk
