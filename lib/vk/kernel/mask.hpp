#pragma once

// mask: keeps memory out of reach of the process that runs.
//
// Closed is what the process that runs must not reach: on level `process` the heaps of all others and the
// blocks that they keep, on level `full` the kernel's heap too. The heap that ran last stays open until
// another runs, so consecutive dispatches of one process need nothing.
//
// There are two ways. By mprotect(2) that takes two calls for each process (close the last heap, open the next), two
// for each block that it keeps, and two for each batch (the kernel's heap).
//
// By protection keys it takes none but those for blocks. The kernel's heap has a key of its own, and each heap one of
// the rest, its colour, for as long as it has a process. A dispatch opens one colour to the OS thread, and the kernel's
// key is closed meanwhile. There are more heaps than colours: memory of another process is out of reach unless that has
// the colour of the one that runs. Neighbours never have the same, so what runs over the end of its heap is always
// found; a heap without a process has no rights at all; and while the kernel runs, every heap is closed. Rejected: to
// hand out the keys in turn, so that no two heaps share one. With more heaps in use than keys that takes the two calls
// again.
//
// A heap without a key of its own (it is from beyond the pool, or from where the system's limit of mappings does not
// reach) is masked by mprotect(2) either way.
//
// Like the dispatcher that has it, it lies outside of the kernel's heap, and works while that is closed. Rights by
// keys are those of an OS thread: the one that makes a kernel runs it, or starts who does.

#include "vk/base/os.hpp"
#include "vk/kernel/options.hpp"
#include "vk/memory/key_set.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vk {

class mask {
public:
    struct layout {
        enum isolation isolation;
        mask_way way;
        std::size_t heap_bytes;
        std::byte* kernel_heap;
        std::size_t kernel_heap_bytes;
    };

    /// Each call to the system is added to `calls`. The kernel's heap is open. Throws vk::error (EOPNOTSUPP) when the
    /// way is `pkey` and there are no keys.
    mask(const layout& memory, std::uint64_t& calls);

    /// The heaps are gone by now; the kernel's stays open.
    ~mask();
    mask(const mask&) = delete;
    mask& operator=(const mask&) = delete;

    /// "none", "mprotect" or "pkey".
    std::string_view name() const noexcept;

    /// The keys to give to heaps, for heap_pool; none unless it masks by keys.
    std::span<const std::uint8_t> colours() const noexcept;

    /// Close and open the kernel's heap, on level `full`: before and after a batch. With keys, all other heaps are
    /// closed in between, on both levels.
    void close_kernel() noexcept;
    void open_kernel() noexcept;

    /// Open the kernel's heap to the process whose heap is open, until close_kernel().
    void open_kernel_too() noexcept;

    /// Whether it takes an open() to reach `heap`, in a batch.
    bool is_closed(const std::byte* heap) const noexcept
    {
        return memory_.isolation != isolation::none && heap != open_heap_;
    }

    /// Close the heap that ran last and open `heap`, which has `key`, or 0, if it is closed.
    void open(std::byte* heap, std::uint8_t key) noexcept;

    /// Whether `heap` is open, since it ran last; it is then forgotten, for whoever masks it.
    bool forget(const std::byte* heap) noexcept;

    /// Open and close a block that a process keeps.
    void open_block(std::byte* block) noexcept;
    void close_block(std::byte* block) noexcept;

    /// Have the rights back that there were when a signal came. For its handler, which begins without: before it touches a
    /// heap, or leaves by any way but a return.
    void reopen() noexcept;

private:
    // Neighbours differ, and the kernel's heap has a key of its own.
    static constexpr std::size_t keys_least = 3;

    bool by_keys() const noexcept { return !keys_.empty(); }
    std::uint8_t kernel_key() const noexcept { return keys_.keys().front(); }
    void protect(std::byte* at, std::size_t bytes, os::access rights) noexcept;
    void grant(std::uint32_t closed) noexcept;

    layout memory_;
    std::uint64_t* calls_;
    key_set keys_;                    // empty: by mprotect
    std::uint32_t all_closed_ = 0;    // bits of our keys in a word of rights,
    std::uint32_t while_kernel_ = 0;  // those that are set while the kernel runs,
    std::uint32_t while_process_ = 0; // and while a process does
    std::uint32_t granted_ = 0;       // the word that is in force
    std::byte* open_heap_ = nullptr;  // the heap that ran last,
    std::uint8_t open_key_ = 0;       // and its key
};

} // namespace vk
