#include "support/catch.hpp"
#include "support/child.hpp"

#include <vk/base/assert.hpp>

#include <csignal>

using Catch::Matchers::ContainsSubstring;
using vk::test::ending;
using vk::test::in_child;

TEST_CASE("a condition that holds costs nothing but its evaluation")
{
    int evaluated = 0;
    VK_REQUIRE(++evaluated == 1);
    VK_ASSERT(++evaluated == 2);
    CHECK(evaluated == 2);
}

TEST_CASE("a broken rule of the interface ends the program and blames the caller")
{
    ending ended = in_child([] {
        int heads = 2;
        VK_REQUIRE(heads == 1);
        return 0;
    });
    INFO(ended.text());
    CHECK(ended.killed_by(SIGABRT));
    CHECK_THAT(ended.said, ContainsSubstring("a rule of the interface was broken: heads == 1"));
    CHECK_THAT(ended.said, ContainsSubstring("assert_test.cpp:"));
}

TEST_CASE("a broken invariant ends the program and blames the library")
{
    ending ended = in_child([] {
        int heads = 2;
        VK_ASSERT(heads == 1);
        return 0;
    });
    INFO(ended.text());
    CHECK(ended.killed_by(SIGABRT));
    CHECK_THAT(ended.said, ContainsSubstring("an invariant of the library was broken: heads == 1"));
}

TEST_CASE("a check for debugging is compiled out of a release")
{
    int evaluated = 0;
    VK_DEBUG_ASSERT(++evaluated > 0);
#ifdef NDEBUG
    CHECK(evaluated == 0);
#else
    CHECK(evaluated == 1);
#endif
}
