#pragma once

// memory: the books of the mappings that the program holds.
//
// The mappings are real ones, so that a masked heap is really out of reach; what is simulated is that they
// fail, and that somebody counts. The books outlive a world: a program may unmap in one what it mapped in
// the one before.

#include <cstddef>
#include <cstdint>
#include <map>

namespace vk::sim {

class memory_books {
public:
    static memory_books& get();

    void add(void* at, std::size_t bytes);

    /// False if some of it is not mapped (as far as the books know).
    bool remove(void* at, std::size_t bytes);
    bool holds(void* at, std::size_t bytes) const;

    std::size_t bytes() const noexcept { return bytes_; }

private:
    std::map<std::uintptr_t, std::uintptr_t>
        ranges_; // begin to end, disjoint, neighbours not joined
    std::size_t bytes_ = 0;
};

} // namespace vk::sim
