#include "support/catch.hpp"
#include "support/quiet.hpp"

#include <vk/base/error.hpp>
#include <vk/base/global_account.hpp>
#include <vk/base/log.hpp>

#include <string>

using vk::global_account;

namespace {

// An account that is that of who runs, for as long as it lives.
struct running_account {
    explicit running_account(std::size_t limit) : account(limit, refusals), here(&account) {}

    std::uint64_t refusals = 0;
    global_account account;
    global_account::scope here;
};

} // namespace

TEST_CASE("an account admits what is within its limit, to the byte")
{
    running_account one(1000);
    CHECK(one.account.admits(1000));
    CHECK_FALSE(one.account.admits(1001));
    one.account.add(400);
    CHECK(one.account.admits(600));
    CHECK_FALSE(one.account.admits(601));
    CHECK_FALSE(one.account.admits(SIZE_MAX));
    one.account.add(700); // the allocator rounded up
    CHECK_FALSE(one.account.admits(1));
    one.account.subtract(200);
    CHECK(one.account.admits(100));
    CHECK(one.account.held() == 900);
    CHECK(one.account.most() == 1100);
}

TEST_CASE("an account without a limit admits what there are addresses for")
{
    running_account one(global_account::unlimited);
    CHECK(one.account.admits(SIZE_MAX));
    one.account.add(SIZE_MAX / 2);
    CHECK(one.account.admits(SIZE_MAX / 2));
}

TEST_CASE("what others allocated lowers an account to zero and not below")
{
    running_account one(1000);
    one.account.add(100);
    one.account.subtract(101);
    CHECK(one.account.held() == 0);
    one.account.subtract(SIZE_MAX);
    CHECK(one.account.held() == 0);
    CHECK(one.account.admits(1000));
    CHECK_FALSE(one.account.admits(1001));
}

TEST_CASE("each refusal is counted")
{
    vk::test::quiet quiet;
    running_account one(10);
    one.account.refuse(11);
    one.account.refuse(12);
    CHECK(one.refusals == 2);
    CHECK(one.account.held() == 0);
}

TEST_CASE("in a scope without an account, and after it, the account is what it was")
{
    running_account one(10);
    {
        global_account::uncounted inner;
        CHECK(global_account::current == nullptr);
        {
            global_account::uncounted innermost;
            global_account::unrefused nothing_to_do;
        }
        CHECK(global_account::current == nullptr);
    }
    CHECK(global_account::current == &one.account);
}

TEST_CASE("nothing is refused while what is made must be had")
{
    running_account one(10);
    {
        global_account::unrefused outer;
        {
            global_account::unrefused inner;
            CHECK(one.account.admits(1'000'000));
        }
        CHECK(one.account.admits(1'000'000));
    }
    CHECK_FALSE(one.account.admits(11));
    {
        vk::error made(ECONNRESET, "the text of an error");
        CHECK_FALSE(one.account.admits(11)); // while it is made, not while it lives
    }
}
