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

TEST_CASE("an error that is raised on account of another one says so, as deep as they nest")
{
    struct deep {
        static void read() { vk::raise(ECONNRESET, "read"); }
        static void query()
        {
            try {
                read();
            } catch (const vk::error&) {
                vk::raise_nested(std::errc::io_error, "query");
            }
        }
        static void load()
        {
            try {
                query();
            } catch (const vk::error&) {
                vk::raise_nested(std::errc::no_such_device_or_address, "load user 7");
            }
        }
    };
    try {
        deep::load();
        FAIL("nothing was thrown");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::no_such_device_or_address);
        CHECK(vk::describe(e) ==
              "load user 7: No such device or address: query: Input/output error: "
              "read: Connection reset by peer");
    }
    CHECK(vk::describe(vk::cancelled("join")) == "join: Operation canceled");
}
