#include "vk/memory/frame_stack.hpp"

#include "vk/base/assert.hpp"
#include "vk/memory/mapping.hpp"

namespace vk {

void frame_stack::add_segment(std::size_t need)
{
    std::size_t pages = round_up(need + sizeof(link), limits::page_bytes) / limits::page_bytes;
    auto* begin = static_cast<std::byte*>(heap_->take(pages));
    *reinterpret_cast<link*>(begin) = {segment_, top_, end_, nullptr};
    top_ = begin + sizeof(link);
    end_ = begin + pages * limits::page_bytes;
    segment_ = reinterpret_cast<frame*>(top_);
}

void frame_stack::release_slowly(frame* released) noexcept
{
    VK_REQUIRE(!is_marked(released));
    if (released != last_) {
        released->below =
            reinterpret_cast<frame*>(reinterpret_cast<std::uintptr_t>(released->below) | mark);
        ++marked_;
        return;
    }
    pop();
    while (last_ && is_marked(last_)) {
        last_->below =
            reinterpret_cast<frame*>(reinterpret_cast<std::uintptr_t>(last_->below) & ~mark);
        --marked_;
        pop();
    }
}

void frame_stack::pop() noexcept
{
    frame* popped = last_;
    last_ = popped->below;
    top_ = reinterpret_cast<std::byte*>(popped);
    if (popped != segment_)
        return;
    void* begin = top_ - sizeof(link);
    link below = *static_cast<link*>(begin);
    segment_ = below.segment;
    top_ = below.top;
    end_ = below.end;
    heap_->give(begin);
}

} // namespace vk
