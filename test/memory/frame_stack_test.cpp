#include "support/catch.hpp"
#include "support/quiet.hpp"
#include "support/random.hpp"

#include <vk/base/error.hpp>
#include <vk/memory/frame_stack.hpp>
#include <vk/memory/mapping.hpp>

#include <cstring>
#include <vector>

using vk::frame_stack;
using vk::heap;

namespace {

constexpr std::size_t page = vk::limits::page_bytes;

// A stack on a heap of its own, with `room` bytes before it needs a segment.
struct stack_on_heap {
    explicit stack_on_heap(std::size_t pages, std::size_t room = 512)
        : memory(pages * page),
          under(heap::create(memory.base(), pages)),
          carved(static_cast<std::byte*>(under.carve(room))),
          stack(under, {carved, carved + room})
    {
    }

    bool in_room(const void* frame, std::size_t room = 512) const
    {
        return frame >= carved && frame < carved + room;
    }

    vk::mapping memory;
    heap& under;
    std::byte* carved;
    frame_stack stack;
};

} // namespace

TEST_CASE("frames are aligned, apart, and carved from the first room before any page")
{
    stack_on_heap on(8);
    CHECK(on.stack.empty());
    std::size_t before = on.under.pages_used();
    void* a = on.stack.allocate(1);
    void* b = on.stack.allocate(40);
    CHECK_FALSE(on.stack.empty());
    CHECK(reinterpret_cast<std::uintptr_t>(a) % 16 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(b) % 16 == 0);
    CHECK(on.in_room(a));
    CHECK(on.in_room(b));
    CHECK(static_cast<std::byte*>(b) - static_cast<std::byte*>(a) == 32); // 16 and a header
    CHECK(on.under.pages_used() == before);
    frame_stack::release(b);
    frame_stack::release(a);
    CHECK(on.stack.empty());
}

TEST_CASE("the frame released last is the next one carved")
{
    stack_on_heap on(8);
    void* a = on.stack.allocate(64);
    void* b = on.stack.allocate(64);
    frame_stack::release(b);
    CHECK(on.stack.allocate(64) == b);
    frame_stack::release(b);
    frame_stack::release(a);
    CHECK(on.stack.allocate(100) == a);
    frame_stack::release(a);
    CHECK(on.stack.empty());
}

TEST_CASE("a frame released out of order is popped when it reaches the top")
{
    stack_on_heap on(8);
    void* a = on.stack.allocate(32);
    void* b = on.stack.allocate(32);
    void* c = on.stack.allocate(32);
    frame_stack::release(a);
    frame_stack::release(b);
    void* d = on.stack.allocate(32); // above c, not in the gap
    CHECK(d > c);
    frame_stack::release(d);
    CHECK_FALSE(on.stack.empty());
    frame_stack::release(c);
    CHECK(on.stack.empty());
    CHECK(on.stack.allocate(32) == a);
    frame_stack::release(a);
}

TEST_CASE("a frame that does not fit in the room takes a segment, and gives it back")
{
    stack_on_heap on(8, 256);
    std::size_t before = on.under.pages_used();
    void* a = on.stack.allocate(100);
    void* b = on.stack.allocate(200);
    CHECK(on.in_room(a, 256));
    CHECK_FALSE(on.in_room(b, 256));
    CHECK(on.under.pages_used() == before + 1);
    std::memset(b, 0xee, 200);

    void* c = on.stack.allocate(200); // the same segment
    CHECK(on.under.pages_used() == before + 1);
    frame_stack::release(c);
    CHECK(on.under.pages_used() == before + 1);
    frame_stack::release(b);
    CHECK(on.under.pages_used() == before);

    // What was left of the room is used again.
    void* d = on.stack.allocate(50);
    CHECK(on.in_room(d, 256));
    frame_stack::release(d);
    frame_stack::release(a);
    CHECK(on.stack.empty());
}

TEST_CASE("a frame larger than a page takes a segment of several")
{
    stack_on_heap on(16, 64);
    std::size_t before = on.under.pages_used();
    void* large = on.stack.allocate(3 * page);
    CHECK(on.under.pages_used() == before + 4);
    std::memset(large, 0xee, 3 * page);
    frame_stack::release(large);
    CHECK(on.under.pages_used() == before);
    CHECK(on.stack.empty());
}

TEST_CASE("segments stack, and go back one by one")
{
    stack_on_heap on(16, 64);
    std::size_t before = on.under.pages_used();
    std::vector<void*> frames;
    for (int i = 0; i < 8; ++i)
        frames.push_back(on.stack.allocate(page / 2 + 100)); // one a page
    CHECK(on.under.pages_used() == before + 8);
    for (std::size_t left = 8; left > 0; --left) {
        frame_stack::release(frames[left - 1]);
        CHECK(on.under.pages_used() == before + left - 1);
    }
    CHECK(on.stack.empty());
}

TEST_CASE("segments whose frames are released from below go back when the last one is")
{
    stack_on_heap on(16, 64);
    std::size_t before = on.under.pages_used();
    std::vector<void*> frames;
    for (int i = 0; i < 8; ++i)
        frames.push_back(on.stack.allocate(page / 2 + 100));
    for (std::size_t i = 0; i < 7; ++i) {
        frame_stack::release(frames[i]);
        CHECK(on.under.pages_used() == before + 8);
    }
    frame_stack::release(frames[7]);
    CHECK(on.under.pages_used() == before);
    CHECK(on.stack.empty());
}

TEST_CASE("a stack whose heap is exhausted says so and is as before")
{
    vk::test::quiet quiet;
    stack_on_heap on(4, 256);
    std::vector<void*> frames;
    frames.push_back(on.stack.allocate(100));
    while (on.under.pages_used() < 4)
        frames.push_back(on.stack.allocate(page / 2 + 100));
    try {
        (void)on.stack.allocate(page);
        FAIL("carved more than there is");
    } catch (const vk::heap_exhausted& e) {
        CHECK(e.pages_needed() == 6); // a page, and the headers
    }
    CHECK(on.under.pages_used() == 4);

    // What fits where the stack stands is still to be had.
    frames.push_back(on.stack.allocate(64));
    while (!frames.empty()) {
        frame_stack::release(frames.back());
        frames.pop_back();
    }
    CHECK(on.stack.empty());
    CHECK(on.under.pages_used() == 1);
}

TEST_CASE("two stacks share a heap, and a frame is released without saying whose it is")
{
    stack_on_heap on(16, 64);
    std::byte* page_of_other = static_cast<std::byte*>(on.under.take(1));
    frame_stack other(on.under, {page_of_other, page_of_other + page});
    std::size_t before = on.under.pages_used();

    void* a = on.stack.allocate(1000);
    void* b = other.allocate(page);
    void* c = on.stack.allocate(page);
    frame_stack::release(b); // under c's segment in the heap: comes back later
    CHECK(other.empty());
    CHECK(on.under.pages_used() > before);
    frame_stack::release(c);
    frame_stack::release(a);
    CHECK(on.stack.empty());
    CHECK(on.under.pages_used() == before);
}

TEST_CASE("random allocations and releases match a model of the stack", "[property]")
{
    vk::test::quiet quiet;
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    vk::test::dice dice(seed);

    struct frame {
        std::byte* at;
        std::size_t bytes;
        unsigned char fill;
        bool released;
    };
    auto intact = [](const frame& one) {
        for (std::size_t i = 0; i < one.bytes; ++i)
            if (one.at[i] != std::byte{one.fill})
                return false;
        return true;
    };

    stack_on_heap on(48, 512);
    const std::size_t before = on.under.pages_used();
    std::vector<frame> model; // from the bottom
    std::size_t refused = 0;
    std::size_t segments = 0;
    std::size_t out_of_order = 0;

    for (int step = 0; step < 40'000; ++step) {
        // Grows for a while, then shrinks for a while, so that all depths are seen.
        bool growing = step / 400 % 2 == 0;
        if (dice.chance(growing ? 0.65 : 0.35)) {
            std::size_t bytes = dice.chance(0.05) ? 1 + dice.below(2 * page) : 1 + dice.below(400);
            try {
                std::size_t pages = on.under.pages_used();
                auto* at = static_cast<std::byte*>(on.stack.allocate(bytes));
                segments += on.under.pages_used() > pages;
                auto fill = static_cast<unsigned char>(dice.next());
                std::memset(at, fill, bytes);
                model.push_back({at, bytes, fill, false});
            } catch (const vk::heap_exhausted&) {
                ++refused;
            }
            continue;
        }
        std::vector<std::size_t> live;
        for (std::size_t i = 0; i < model.size(); ++i)
            if (!model[i].released)
                live.push_back(i);
        if (live.empty())
            continue;
        std::size_t chosen = dice.chance(0.6) ? live.back() : live[dice.below(live.size())];
        out_of_order += chosen + 1 != model.size();
        REQUIRE(intact(model[chosen]));
        model[chosen].released = true;
        frame_stack::release(model[chosen].at);
        while (!model.empty() && model.back().released)
            model.pop_back();
        REQUIRE(on.stack.empty() == model.empty());
        if (model.empty())
            REQUIRE(on.under.pages_used() == before);
    }
    while (!model.empty()) {
        if (!model.back().released) {
            REQUIRE(intact(model.back()));
            frame_stack::release(model.back().at);
        }
        model.pop_back();
    }
    CHECK(on.stack.empty());
    CHECK(on.under.pages_used() == before);

    // The walk went where it matters.
    CHECK(refused > 0);
    CHECK(segments > 100);
    CHECK(out_of_order > 1000);
}
