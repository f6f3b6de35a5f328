#pragma once

// closed memory: the least that it takes to keep a heap out of reach by mprotect(2), without a server around it.

#include <cstddef>

namespace vk::bench {

/// As large as a heap, private, and closed: neither read nor written but by use().
class closed_memory {
public:
    /// With that many pages that have been written, and so are there. Throws std::bad_alloc when there is no memory.
    explicit closed_memory(std::size_t touched);

    closed_memory(const closed_memory&) = delete;
    closed_memory& operator=(const closed_memory&) = delete;

    ~closed_memory();

    /// Open it, write to that many pages of it, the first ones, and close it.
    void use(std::size_t pages) noexcept;

private:
    void write(std::size_t pages) noexcept;

    char* at_ = nullptr;
};

/// How long it takes to open memory, to write one page of it and to close it, in nanoseconds: the median of several
/// spans. A dispatch that is masked by mprotect(2) takes no less. It is measured by a process on `core`, in as many such
/// memories in turn as a server has connections, while the calling thread keeps its own core busy, as load does: a
/// hypervisor may have to tell the other cores of what is mapped. Throws std::system_error.
double mask_pair_ns(int core, int connections);

} // namespace vk::bench
