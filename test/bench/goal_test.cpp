#include "support/catch.hpp"

#include "bench/goal.hpp"

#include <cmath>

using vk::bench::goal;
using vk::bench::is_met;
using vk::bench::verdict;

TEST_CASE("a figure that is printed as its bound meets it")
{
    const goal least{goal::side::at_least, 0.68};
    CHECK(is_met(least, 0.68, 3));
    CHECK(is_met(least, 0.6796, 3));
    CHECK_FALSE(is_met(least, 0.6794, 3));
    CHECK(is_met(least, 1, 3));

    const goal most{goal::side::at_most, 2.2};
    CHECK(is_met(most, 2.2, 2));
    CHECK(is_met(most, 2.204, 2));
    CHECK_FALSE(is_met(most, 2.206, 2));
    CHECK(is_met(most, 0, 2));
}

TEST_CASE("what is no figure meets no goal")
{
    CHECK_FALSE(is_met({goal::side::at_least, 0}, std::nan(""), 2));
    CHECK_FALSE(is_met({goal::side::at_most, 0}, std::nan(""), 2));
}

TEST_CASE("a verdict names the goal, and whether it is met")
{
    CHECK(verdict({goal::side::at_least, 0.612}, 0.7, 3) == ">= 0.612 met");
    CHECK(verdict({goal::side::at_most, 2}, 2.5, 2) == "<= 2 MISSED");
}
