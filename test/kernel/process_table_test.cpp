#include "support/catch.hpp"

#include <vk/kernel/process_table.hpp>

#include <memory_resource>
#include <set>
#include <vector>

using vk::fd_record;
using vk::process_record;
using vk::process_table;
using vk::ready;

TEST_CASE("a table has as many places as it was made with")
{
    process_table table(3, std::pmr::new_delete_resource());
    CHECK(table.live() == 0);
    CHECK(table.room() == 3);
    CHECK(table.any() == nullptr);
    std::set<process_record*> all;
    for (int i = 0; i < 3; ++i) {
        process_record* one = table.add();
        REQUIRE(one != nullptr);
        CHECK(&table.at(table.index_of(*one)) == one);
        all.insert(one);
    }
    CHECK(all.size() == 3);
    CHECK(table.live() == 3);
    CHECK(table.room() == 0);
    CHECK(table.add() == nullptr);
    for (process_record* one : all)
        table.remove(*one);
    CHECK(table.live() == 0);
    CHECK(table.any() == nullptr);
}

TEST_CASE("a place that is freed is the next one used, under a new number")
{
    process_table table(4, std::pmr::new_delete_resource());
    process_record* a = table.add();
    process_record* b = table.add();
    std::uint64_t id = a->id;
    CHECK(b->id != id);
    table.remove(*a);
    process_record* again = table.add();
    CHECK(again == a);
    CHECK(again->id != id);
    CHECK(again->id != b->id);
    table.remove(*again);
    table.remove(*b);
}

TEST_CASE("each process that lives is visited")
{
    process_table table(4, std::pmr::new_delete_resource());
    process_record* a = table.add();
    process_record* b = table.add();
    process_record* c = table.add();
    table.remove(*b);
    std::set<process_record*> seen;
    table.for_each([&](process_record& one) { seen.insert(&one); });
    CHECK(seen == std::set<process_record*>{a, c});
    CHECK(seen.count(table.any()) == 1);
    table.remove(*a);
    table.remove(*c);
}

TEST_CASE("a process that is removed has left every queue, and its place remembers nothing of it")
{
    process_table table(1, std::pmr::new_delete_resource());
    vk::process_list<vk::run_tag> run;
    process_record* one = table.add();
    vk::queue(run, *one);
    one->wanted = 100;
    one->orders |= vk::order::drain;
    one->daemon = true;
    one->connection = true;
    one->fd = 7;
    fd_record fd;
    fd.owner = one;
    vk::wake_fresh(run, fd, ready::in);
    table.remove(*one);
    CHECK(run.empty());

    process_record* next = table.add();
    REQUIRE(next == one);
    CHECK(next->heap == nullptr);
    CHECK(next->local == nullptr);
    CHECK(next->what == nullptr);
    CHECK(next->fd == -1);
    CHECK(next->wanted == vk::never);
    CHECK(next->orders == vk::order::none);
    CHECK_FALSE(next->daemon);
    CHECK_FALSE(next->connection);
    CHECK(next->fresh.empty());
    CHECK(next->fds.empty());
    table.remove(*next);
}

TEST_CASE("a process is queued once, in the order of its first queueing")
{
    process_table table(2, std::pmr::new_delete_resource());
    vk::process_list<vk::run_tag> run;
    process_record* a = table.add();
    process_record* b = table.add();
    vk::queue(run, *b);
    vk::queue(run, *a);
    vk::queue(run, *b);
    REQUIRE(run.size() == 2);
    CHECK(&run.front() == b);
    table.remove(*a);
    table.remove(*b);
}

TEST_CASE("what is found of an fd adds up until its owner is told, and the owner is queued once")
{
    process_table table(1, std::pmr::new_delete_resource());
    vk::process_list<vk::run_tag> run;
    process_record* one = table.add();
    fd_record a;
    fd_record b;
    a.owner = b.owner = one;
    vk::wake_fresh(run, a, ready::in);
    vk::wake_fresh(run, a, ready::hang_up);
    vk::wake_fresh(run, b, ready::out);
    CHECK(run.size() == 1);
    CHECK(one->fresh.size() == 2);
    CHECK(a.fresh == (ready::in | ready::hang_up));
    CHECK(b.fresh == ready::out);
    table.remove(*one);
    CHECK_FALSE(a.vk::fd_hook<vk::fresh_fd_tag>::is_linked());
}
