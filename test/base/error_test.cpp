#include "support/catch.hpp"

#include <vk/base/error.hpp>

#include <cerrno>
#include <string>
#include <system_error>

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a raised errno is caught as a system_error and compares with std::errc")
{
    try {
        vk::raise(ECONNRESET, "read");
        FAIL("nothing was thrown");
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::connection_reset);
        CHECK(e.code() != std::errc::broken_pipe);
        CHECK(e.code().value() == ECONNRESET);
        CHECK_THAT(e.what(), ContainsSubstring("read"));
    }
}

TEST_CASE("a raised errc carries its number and a name")
{
    CHECK_THROWS_AS(vk::raise(std::errc::broken_pipe), vk::error);
    try {
        vk::raise(std::errc::broken_pipe, "print");
        FAIL("nothing was thrown");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::broken_pipe);
        CHECK_THAT(e.what(), ContainsSubstring("print"));
    }
}

TEST_CASE("a deadline, a cancellation and an exhausted heap are errors of their own, with an errno")
{
    vk::timed_out late("sleep");
    vk::cancelled ended("join");
    CHECK(late.code() == std::errc::timed_out);
    CHECK(ended.code() == std::errc::operation_canceled);
    CHECK_THAT(late.what(), ContainsSubstring("sleep"));
    CHECK_THAT(ended.what(), ContainsSubstring("join"));

    // One is not caught in place of another.
    CHECK_FALSE(std::is_base_of_v<vk::timed_out, vk::cancelled>);
    CHECK_FALSE(std::is_base_of_v<vk::cancelled, vk::timed_out>);
    CHECK(std::is_base_of_v<vk::error, vk::timed_out>);
    CHECK(std::is_base_of_v<vk::error, vk::cancelled>);
}

TEST_CASE("an exhausted heap says how many pages it has and how many it would have needed")
{
    vk::heap_exhausted full(37, 25);
    CHECK(full.code() == std::errc::not_enough_memory);
    CHECK(full.pages_needed() == 37);
    CHECK_THAT(full.what(), ContainsSubstring("heap of 25 pages"));
    CHECK_THAT(full.what(), ContainsSubstring("37 pages needed"));
}
