#pragma once

// runtime: the topics of `vk-bench runtime`, a file for each, and another for what is of Asio in it.
//
// The programs are those of the suite github.com/tzcnt/runtime-benchmarks, each on one thread.

#include "bench/meter.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vk::bench {

topic skynet_topic();
std::vector<topic> channel_topics(std::uint64_t values);

/// The round trips are of all connections together, and rounded down to the same number for each.
topic ping_pong_topic(int connections, std::uint64_t round_trips);

/// Channels of Asio for so many values.
std::vector<subject> asio_channels(std::size_t capacity);

/// Throws std::runtime_error when that is not the sum of the numbers from 0 to n - 1.
void check_sum(std::uint64_t n, std::uint64_t sum);

/// For n round trips over that many connections.
timing asio_ping_pong(int connections);

/// What is sent to and fro, in bytes.
inline constexpr std::size_t ping_bytes = 64;

} // namespace vk::bench
