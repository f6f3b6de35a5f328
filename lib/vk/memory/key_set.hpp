#pragma once

// key_set: protection keys, taken from the CPU's few and given back when it goes.

#include "vk/base/pkey.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vk {

class key_set {
public:
    /// Take as many keys as there are, or none at all when that is fewer than `least`.
    static key_set take(std::size_t least) noexcept { return key_set(least); }

    key_set() = default;
    key_set(key_set&& other) noexcept;
    key_set& operator=(key_set&& other) noexcept;
    ~key_set();

    std::span<const std::uint8_t> keys() const noexcept { return {keys_.data(), count_}; }
    bool empty() const noexcept { return count_ == 0; }

    /// The bits in a word of rights that close all of them to a thread.
    std::uint32_t closed() const noexcept;

private:
    explicit key_set(std::size_t least) noexcept;
    void give_back() noexcept;

    std::array<std::uint8_t, os::pkeys_max> keys_{};
    std::size_t count_ = 0;
};

} // namespace vk
