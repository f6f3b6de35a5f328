#pragma once

// in_turn: a round of measurements of all that is compared, and then the next, so that they share the machine's moods.

#include <exception>
#include <vector>

namespace vk::bench {

/// Call `measure` with each of `entries`, `rounds` times, unless it has failed: what it throws becomes the entry's
/// `failure`.
template <class Entry, class Measure>
void in_turn(int rounds, std::vector<Entry>& entries, Measure measure)
{
    for (int round = 0; round < rounds; ++round)
        for (Entry& each : entries) {
            if (!each.failure.empty())
                continue;
            try {
                measure(each);
            } catch (const std::exception& error) {
                each.failure = error.what();
            }
        }
}

} // namespace vk::bench
