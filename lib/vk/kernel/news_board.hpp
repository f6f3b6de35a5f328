#pragma once

// news_board: the news of a batch, for the processes that are dispatched in it.
//
// It lies with the batch, outside of the kernel's heap. The kernel adds news in the order of the dispatches, and the
// dispatcher hands them over in that order, so that a dispatch needs no field for it.

#include "vk/base/limits.hpp"
#include "vk/proc/process.hpp"

#include <array>
#include <cstddef>

namespace vk {

class news_board {
public:
    /// Add `one` for the dispatch numbered `dispatch`, which is none before the last. False when there is no room.
    bool add(std::size_t dispatch, const news& one) noexcept
    {
        if (count_ == entries_.size())
            return false;
        entries_[count_++] = {dispatch, one};
        return true;
    }

    /// Hand over what there is for the dispatch numbered `dispatch`.
    void tell(std::size_t dispatch, process& to) noexcept
    {
        while (next_ < count_ && entries_[next_].dispatch < dispatch)
            ++next_; // for one that could not be made
        for (; next_ < count_ && entries_[next_].dispatch == dispatch; ++next_)
            to.told.tell(entries_[next_].what);
    }

    void clear() noexcept { count_ = next_ = 0; }

private:
    struct entry {
        std::size_t dispatch;
        news what;
    };

    std::size_t count_ = 0;
    std::size_t next_ = 0;
    std::array<entry, limits::batch_news_max> entries_;
};

} // namespace vk
