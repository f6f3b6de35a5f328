#include "support/catch.hpp"

#include <vk/kernel/poller/arrivals.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

using vk::arrivals;

namespace {

// The system's part: fills buffers in any order, and is given back those that were emptied.
struct arriving {
    auto give_back()
    {
        return [this](unsigned buffer) { returned.push_back(buffer); };
    }

    void put(arrivals::queue& to, unsigned buffer, const std::string& bytes)
    {
        std::memcpy(all->memory() + std::size_t{buffer} * arrivals::stride, bytes.data(),
                    bytes.size());
        all->add(to, buffer, bytes.size());
    }

    std::string take(arrivals::queue& from, std::size_t most)
    {
        std::string taken(most, '\0');
        taken.resize(all->take(from, taken.data(), most, give_back()));
        return taken;
    }

    std::unique_ptr<arrivals> all = std::make_unique<arrivals>();
    std::vector<unsigned> returned;
};

} // namespace

TEST_CASE("what arrives is taken in its order, across buffers and in any pieces")
{
    arriving some;
    arrivals::queue one;
    some.put(one, 7, "abc");
    some.put(one, 3, "defgh");
    some.put(one, 1000, "i");
    CHECK(one.held == 3);
    CHECK(some.take(one, 2) == "ab");
    CHECK(some.returned.empty());
    CHECK(some.take(one, 3) == "cde");
    CHECK(some.returned == std::vector<unsigned>{7});
    CHECK(some.take(one, 100) == "fghi");
    CHECK(some.returned == std::vector<unsigned>{7, 3, 1000});
    CHECK(one.empty());
    CHECK(some.take(one, 100).empty());

    some.put(one, 7, "again");
    CHECK(some.take(one, 5) == "again");
}

TEST_CASE("queues do not mix, and a buffer that is full is taken whole")
{
    arriving some;
    arrivals::queue one;
    arrivals::queue other;
    std::string much(arrivals::buffer_bytes, 'x');
    some.put(one, 0, much);
    some.put(other, 1, "y");
    some.put(one, 2, "z");
    CHECK(some.take(one, 2 * much.size()) == much + "z");
    CHECK(some.take(other, 10) == "y");
}

TEST_CASE("what is dropped gives its buffers back")
{
    arriving some;
    arrivals::queue one;
    some.put(one, 5, "a");
    some.put(one, 6, "b");
    CHECK(some.all->left() == arrivals::buffers - 2);
    some.all->drop(one, some.give_back());
    CHECK(one.empty());
    CHECK(some.returned == std::vector<unsigned>{5, 6});
    CHECK(some.all->left() == arrivals::buffers);
}
