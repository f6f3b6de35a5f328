#pragma once

// memory_exhausted: a process has as much of the global heap as it may have.
//
// It is a std::bad_alloc, so that whoever is ready for that (nothrow new, the standard library) is ready for
// this. It holds its text: throwing it takes no more of the heap that it is about. The exception itself comes
// from malloc by way of the C++ runtime, which no account counts.

#include <cstddef>
#include <new>

namespace vk {

class memory_exhausted : public std::bad_alloc {
public:
    /// `held` bytes of `limit`, and `asked` more were wanted.
    memory_exhausted(std::size_t held, std::size_t asked, std::size_t limit) noexcept;

    /// "global memory of 1048576 bytes exhausted: 524288 held, 1048576 more asked".
    const char* what() const noexcept override { return text_; }

    std::size_t held() const noexcept { return held_; }
    std::size_t asked() const noexcept { return asked_; }
    std::size_t limit() const noexcept { return limit_; }

private:
    std::size_t held_;
    std::size_t asked_;
    std::size_t limit_;
    char text_[128];
};

} // namespace vk
