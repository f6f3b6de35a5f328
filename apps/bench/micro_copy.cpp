// What a ring costs: bytes copied in and out again, against two memcpy.

#include "bench/copies.hpp"
#include "bench/micro.hpp"

#include "vk/io/ring.hpp"

#include <array>

#include <fmt/format.h>

namespace vk::bench {

namespace {

using bytes = std::array<char, 4096>;

timing copy_by_hand(std::size_t size)
{
    return [size](std::uint64_t n) {
        static bytes from, between, to;
        return time_copies(n, size, from, between, to);
    };
}

// `left`: bytes that stay in the ring, so that the head moves on and copies wrap.
timing copy_by_ring(std::size_t size, std::size_t left)
{
    return [size, left](std::uint64_t n) {
        static bytes from, to;
        static std::array<char, 2 * from.size()> storage;
        ring between;
        between.attach(storage.data(), storage.size());
        between.write(from.data(), left);
        std::size_t length = size;
        const std::int64_t began = now_ns();
        for (std::uint64_t i = 0; i < n; ++i) {
            disturb(length);
            between.write(from.data(), length);
            disturb_memory();
            between.read(to.data(), length);
            disturb_memory();
        }
        return now_ns() - began;
    };
}

topic copies(std::size_t size)
{
    return {fmt::format("copy in and out, {} bytes", size),
            {{"memcpy", copy_by_hand(size)},
             {"vk::ring", copy_by_ring(size, 0)},
             {"vk::ring, wrapping", copy_by_ring(size, 1000)}}};
}

} // namespace

topics copy_topics()
{
    return {copies(64), copies(1024), copies(4096)};
}

} // namespace vk::bench
