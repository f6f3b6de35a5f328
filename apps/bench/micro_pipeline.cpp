// What a pipeline costs for each block that passes: beside the copy that a stage makes, out of one ring and into the
// next. Neither end copies: blocks come from the first ring, and are let go in the last.

#include "bench/copies.hpp"
#include "bench/in_process.hpp"
#include "bench/micro.hpp"

#include "vk/io/pipeline.hpp"
#include "vk/proc/spawn.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace vk::bench {

namespace {

using block = std::array<char, limits::block_bytes>;

// What a stage has in hand, outside of its frames.
block& room_of(std::size_t stage)
{
    static std::array<block, 3> rooms;
    return rooms[stage];
}

// As in a stage: from where it was read to what is to be written.
std::int64_t copy_by_hand(std::uint64_t n)
{
    static block from, to;
    return time_copies(n, from.size(), from, room_of(0), to);
}

task<> copy(socket& io, std::size_t stage)
{
    block& room = room_of(stage);
    while (std::size_t count = co_await io.read(std::span(room)))
        co_await io.write(std::string_view(room.data(), count));
}

task<> forward(socket& io, std::size_t)
{
    co_await io.forward();
}

task<> fill_blocks(socket* to, std::uint64_t n)
{
    for (std::uint64_t i = 0; i < n; ++i) {
        to->commit(to->prepare().size());
        co_await to->flush();
    }
    co_await to->tx_close();
}

task<> pass_blocks(std::uint64_t n, std::int64_t& elapsed, std::size_t stages,
                   task<> (*stage)(socket&, std::size_t))
{
    socket first, last;
    bind(first, last);
    for (std::size_t i = 0; i < stages; ++i)
        spawn_pipeline(first, stage, i).detach();
    thread_handle filling = spawn(fill_blocks, &first, n);
    const std::int64_t began = now_ns();
    for (;;) {
        std::string_view some = co_await last.look(1);
        if (some.empty())
            break;
        last.take(some.size());
    }
    elapsed = now_ns() - began;
    co_await filling.join();
}

template <std::size_t stages, task<> (*stage)(socket&, std::size_t)>
task<> pipeline(std::uint64_t n, std::int64_t& elapsed)
{
    task<> passing = pass_blocks(n, elapsed, stages, stage);
    co_await std::move(passing);
}

} // namespace

topics pipeline_topics()
{
    return {{"pipeline, a block of 16 KiB",
             {{"the copy of one stage", copy_by_hand},
              {"one stage that copies", in_process(pipeline<1, copy>)},
              {"three stages that copy", in_process(pipeline<3, copy>)},
              {"three stages that forward", in_process(pipeline<3, forward>)}}}};
}

} // namespace vk::bench
