#include "vk/memory/frame_stack.hpp"

#include "vk/base/assert.hpp"
#include "vk/memory/mapping.hpp"

namespace vk {

void* frame_stack::allocate_in_new_segment(std::size_t need)
{
    std::size_t pages = round_up(need + sizeof(link), limits::page_bytes) / limits::page_bytes;
    auto* begin = static_cast<std::byte*>(heap_->take(pages));
    *reinterpret_cast<link*>(begin) = {top_, end_};
    top_ = begin + sizeof(link);
    end_ = begin + pages * limits::page_bytes;
    void* made = push(need);
    last_->below |= first_bit;
    return made;
}

void frame_stack::release_slowly(frame* released) noexcept
{
    VK_REQUIRE((released->below & released_bit) == 0);
    if (released != last_) {
        released->below |= released_bit;
        ++marked_;
        return;
    }
    pop();
    while (last_ && (last_->below & released_bit) != 0) {
        --marked_;
        pop();
    }
}

void frame_stack::pop() noexcept
{
    std::uintptr_t below = last_->below;
    top_ = reinterpret_cast<std::byte*>(last_);
    last_ = reinterpret_cast<frame*>(below & ~bits);
    if ((below & first_bit) == 0)
        return;
    void* begin = top_ - sizeof(link);
    top_ = static_cast<link*>(begin)->top;
    end_ = static_cast<link*>(begin)->end;
    heap_->give(begin);
}

} // namespace vk
