#include "support/catch.hpp"

#include <vk/coroutine/awaitable.hpp>
#include <vk/coroutine/task.hpp>

#include <coroutine>
#include <string>

// The concepts are checked by the compiler; the test case is there to say so in the report.

namespace {

struct no_suspend {
    bool await_ready();
    void await_resume();
};

struct gives_awaiter {
    std::suspend_never operator co_await();
};

struct gives_nonsense {
    int operator co_await();
};

static_assert(vk::awaiter<std::suspend_always>);
static_assert(vk::awaiter<vk::task<int>>);
static_assert(!vk::awaiter<no_suspend>);
static_assert(!vk::awaiter<int>);

static_assert(vk::awaitable<std::suspend_never>);
static_assert(vk::awaitable<gives_awaiter>);
static_assert(vk::awaitable<vk::task<>>);
static_assert(vk::awaitable<vk::task<std::string&>>);
static_assert(!vk::awaitable<gives_nonsense>);
static_assert(!vk::awaitable<int>);

} // namespace

TEST_CASE("the concepts tell what co_await takes from what it does not")
{
    CHECK(vk::awaitable<vk::task<>>);
}
