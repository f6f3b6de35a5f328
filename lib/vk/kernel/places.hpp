#pragma once

// places: room for so many of a kind, and no more.
//
// Taken and given in constant time, the last given first. Memory of places that were never used is not touched, so
// that a generous number costs address space alone.

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <utility>

namespace vk {

template <class T>
class places {
public:
    places(std::size_t size, std::pmr::memory_resource* memory)
        : all_(static_cast<slot*>(memory->allocate(size * sizeof(slot), alignof(slot)))),
          size_(size)
    {
    }
    places(const places&) = delete;
    places& operator=(const places&) = delete;

    /// Make one, or return null when there is no room.
    template <class... Args>
    T* take(Args&&... args) noexcept
    {
        slot* place = free_;
        if (place)
            free_ = place->next;
        else if (fresh_ < size_)
            place = all_ + fresh_++;
        else
            return nullptr;
        ++taken_;
        return new (place) T{std::forward<Args>(args)...};
    }

    /// Destroy what take() has made.
    void give(T& one) noexcept
    {
        std::destroy_at(&one);
        auto* place = reinterpret_cast<slot*>(&one);
        free_ = new (place) slot{free_};
        --taken_;
    }

    std::size_t room() const noexcept { return size_ - taken_; }

    /// What a number of places takes of the memory, at most.
    static constexpr std::size_t bytes(std::size_t size) noexcept
    {
        return size * sizeof(slot) + alignof(slot);
    }

private:
    union slot {
        slot* next;
        alignas(T) std::byte storage[sizeof(T)];
    };

    slot* all_;
    std::size_t size_;
    std::size_t fresh_ = 0; // places from here on were never used
    std::size_t taken_ = 0;
    slot* free_ = nullptr;
};

} // namespace vk
