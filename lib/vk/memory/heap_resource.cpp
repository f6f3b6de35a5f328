#include "vk/memory/heap_resource.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/limits.hpp"
#include "vk/memory/frame_stack.hpp"

namespace vk {
namespace {

// What goes to whole pages instead of the frame stack.
constexpr std::size_t large_bytes = limits::page_bytes / 2;

class current_heap final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        frame_stack* stack = frame_stack::current;
        VK_REQUIRE(stack != nullptr);
        VK_REQUIRE(alignment <= limits::page_bytes);
        if (bytes >= large_bytes || alignment > 16)
            return stack->pages().take(pages_of(bytes));
        return stack->allocate(bytes);
    }

    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override
    {
        if (bytes >= large_bytes || alignment > 16)
            frame_stack::current->pages().give(memory);
        else
            frame_stack::release(memory);
    }

    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override
    {
        return this == &other;
    }

    static std::size_t pages_of(std::size_t bytes) noexcept
    {
        std::size_t whole = bytes / limits::page_bytes;
        return bytes % limits::page_bytes == 0 && whole > 0 ? whole : whole + 1;
    }
};

} // namespace

std::pmr::memory_resource* heap_resource() noexcept
{
    static current_heap instance;
    return &instance;
}

} // namespace vk
