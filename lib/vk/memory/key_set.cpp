#include "vk/memory/key_set.hpp"

#include <utility>

namespace vk {

key_set::key_set(std::size_t least) noexcept
{
    int key = 0;
    while (count_ < keys_.size() && (key = os::allocate_pkey()) > 0)
        keys_[count_++] = static_cast<std::uint8_t>(key);
    if (count_ < least)
        give_back();
}

key_set::key_set(key_set&& other) noexcept
    : keys_(other.keys_), count_(std::exchange(other.count_, 0))
{
}

key_set& key_set::operator=(key_set&& other) noexcept
{
    std::swap(keys_, other.keys_);
    std::swap(count_, other.count_);
    return *this;
}

key_set::~key_set()
{
    give_back();
}

void key_set::give_back() noexcept
{
    while (count_ > 0)
        (void)os::free_pkey(keys_[--count_]);
}

std::uint32_t key_set::closed() const noexcept
{
    std::uint32_t bits = 0;
    for (std::uint8_t key : keys())
        bits |= os::pkey_closed(key);
    return bits;
}

} // namespace vk
