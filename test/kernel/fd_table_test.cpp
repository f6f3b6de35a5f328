#include "support/catch.hpp"

#include <vk/kernel/fd_table.hpp>

#include <memory_resource>

using vk::fd_record;
using vk::fd_table;

TEST_CASE("an fd has a record where the table has a place for it")
{
    fd_table table(8, std::pmr::new_delete_resource());
    CHECK(table.size() == 8);
    fd_record* first = table.find(0);
    fd_record* last = table.find(7);
    REQUIRE(first != nullptr);
    REQUIRE(last != nullptr);
    CHECK(first != last);
    CHECK(table.find(7) == last);
    CHECK(table.find(8) == nullptr);
    CHECK(table.find(-1) == nullptr);
    CHECK(table.find(1 << 30) == nullptr);
}

TEST_CASE("a record that nobody owns says so")
{
    fd_table table(2, std::pmr::new_delete_resource());
    const fd_record& one = *table.find(1);
    CHECK(one.owner == nullptr);
    CHECK(one.where == nullptr);
    CHECK(one.fd == -1);
    CHECK_FALSE(any(one.interest));
    CHECK_FALSE(any(one.fresh));
    CHECK_FALSE(one.lent);
}
