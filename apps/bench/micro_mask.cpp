// What it costs to close memory and to open it again by mprotect(2), by how much of it there is and how much is used in
// between: what a masked dispatch is made of, and what a machine makes of it.

#include "bench/closed_memory.hpp"
#include "bench/micro.hpp"

#include <memory>

namespace vk::bench {

namespace {

timing opened_and_closed(std::size_t touched, std::size_t written)
{
    auto heap = std::make_shared<closed_memory>(touched);
    return each([heap, written](std::uint64_t) { heap->use(written); });
}

} // namespace

topics mask_topics()
{
    return {
        {"memory opened and closed by mprotect",
         {{"1 page touched before", opened_and_closed(1, 0)},
          {"1 page, written in between", opened_and_closed(1, 1)},
          {"16 pages touched before", opened_and_closed(16, 0)},
          {"16 pages, 1 written in between", opened_and_closed(16, 1)},
          {"16 pages, all written in between", opened_and_closed(16, 16)},
          {"40 pages touched before", opened_and_closed(40, 0)}}},
    };
}

} // namespace vk::bench
