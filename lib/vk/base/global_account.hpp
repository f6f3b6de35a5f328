#pragma once

// global_account: what one process holds of the global heap, and how much it may.
//
// A heap of its own keeps a process from taking what others need, but `new` and std::string go to the heap of
// the whole program. A program that links counted_new has each of their allocations entered in the account of
// the process that runs: its real size when it is made, and the same when it is freed. What takes it beyond the
// limit is refused.
//
// Whose account: that of who runs. What one process allocates and another frees (or the kernel, or nobody)
// stays in the account of the first until it ends, and lowers that of the second, at most to zero. A list of
// the blocks of each process, which would tell, and which would let the memory of a process that ends without
// being unwound be freed, was rejected: such memory may have been handed to the rest of the program (a cache, a
// log, an object that lives as long as the server), and nothing tells that it was.
//
//   0 <= held <= most
//   held <= limit, up to what the allocator rounds up and what is unrefused

#include <cstddef>
#include <cstdint>
#include <utility>

namespace vk {

class global_account {
public:
    static constexpr std::size_t unlimited = SIZE_MAX;

    /// An account with `limit` bytes. Each refusal is counted in `refusals`, which must outlive the account.
    global_account(std::size_t limit, std::uint64_t& refusals) noexcept
        : limit_(limit), refusals_(&refusals)
    {
    }
    global_account(const global_account&) = delete;
    global_account& operator=(const global_account&) = delete;

    /// Whether `bytes` more are within the limit, or must not be refused.
    bool admits(std::size_t bytes) const noexcept
    {
        return (bytes <= limit_ && held_ <= limit_ - bytes) || unrefused_ > 0;
    }

    /// `bytes` were allocated.
    void add(std::size_t bytes) noexcept
    {
        held_ += bytes;
        if (held_ > most_)
            most_ = held_;
    }

    /// `bytes` were freed, whoever had allocated them.
    void subtract(std::size_t bytes) noexcept { held_ -= bytes < held_ ? bytes : held_; }

    /// Count that `asked` bytes are refused; the first time the log says so.
    [[gnu::cold]] void refuse(std::size_t asked) noexcept;

    std::size_t held() const noexcept { return held_; }
    std::size_t most() const noexcept { return most_; } // that it held at once
    std::size_t limit() const noexcept { return limit_; }

    /// The account of the process that runs, null outside of one. Set by who dispatches it.
    [[gnu::tls_model(
        "initial-exec")]] static inline constinit thread_local global_account* current = nullptr;

    /// Whether anything counts in this program: it links counted_new.
    static inline bool counting = false;

    /// For as long as a scope another account, or none, is current.
    class scope {
    public:
        explicit scope(global_account* other) noexcept : before_(std::exchange(current, other)) {}
        ~scope() { current = before_; }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        global_account* before_;
    };

    /// For as long as a scope nothing is counted. For what the library does on behalf of a process and has done
    /// by the end of the scope: a line of the log.
    class uncounted : scope {
    public:
        uncounted() noexcept : scope(nullptr) {}
    };

    /// For as long as a scope nothing is refused, but counted: the text of an exception, which must be had where
    /// memory is short, and which is freed later.
    class unrefused {
    public:
        unrefused() noexcept : one_(current)
        {
            if (one_)
                ++one_->unrefused_;
        }
        ~unrefused()
        {
            if (one_)
                --one_->unrefused_;
        }
        unrefused(const unrefused&) = delete;
        unrefused& operator=(const unrefused&) = delete;

    private:
        global_account* one_;
    };

private:
    std::size_t held_ = 0;
    std::size_t most_ = 0;
    std::size_t limit_;
    std::uint64_t* refusals_;
    std::uint32_t unrefused_ = 0;
    bool told_ = false;
};

} // namespace vk
