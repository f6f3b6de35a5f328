#include "support/catch.hpp"

#include <vk/kernel/poller/departures.hpp>

#include <memory>
#include <string>

using vk::departures;

TEST_CASE("a slot gathers what fits, and loses what the system takes")
{
    auto all = std::make_unique<departures>();
    std::uint16_t slot = all->take(8);
    CHECK(all->fd_of(slot) == 8);
    CHECK(all->state_of(slot) == departures::state::gathering);
    CHECK(all->add(slot, "abc", 3));
    CHECK(all->add(slot, "def", 3));
    CHECK(all->left(slot) == "abcdef");

    std::string rest(departures::slot_bytes - 6, 'x');
    CHECK_FALSE(all->add(slot, (rest + "y").data(), rest.size() + 1));
    CHECK(all->left(slot) == "abcdef");
    CHECK(all->add(slot, rest.data(), rest.size()));
    CHECK_FALSE(all->add(slot, "y", 1));

    all->consume(slot, 6);
    CHECK(all->left(slot) == rest);
    all->consume(slot, rest.size());
    CHECK(all->left(slot).empty());
}

TEST_CASE("there are so many slots, and one that is given back is taken again")
{
    auto all = std::make_unique<departures>();
    for (int fd = 0; fd < static_cast<int>(departures::slots); ++fd)
        REQUIRE(all->take(fd) != departures::none);
    CHECK(all->take(9999) == departures::none);
    all->give_back(42);
    CHECK(all->state_of(42) == departures::state::free);
    CHECK(all->take(9999) == 42);
    CHECK(all->left(42).empty());
}

TEST_CASE("a slot goes out once, though it was taken twice")
{
    auto all = std::make_unique<departures>();
    std::uint16_t slot = all->take(1);
    all->give_back(slot);
    CHECK(all->take(2) == slot);
    CHECK(all->going_out().size() == 1);
    CHECK(all->going_out()[0] == slot);
    all->gone();
    CHECK(all->going_out().empty());
    all->give_back(slot);
    CHECK(all->take(3) == slot);
    CHECK(all->going_out().size() == 1);
}
