#include "support/catch.hpp"

#include "bench/call_counter.hpp"

#include <thread>

#include <unistd.h>

using vk::bench::call_counter;

namespace {

void call(int times)
{
    for (int i = 0; i < times; ++i)
        ::getppid();
}

} // namespace

// Where the system does not allow it, as in most containers, this says no more than that.
TEST_CASE("each system call of a process is counted, or none is, and why is said")
{
    const call_counter counter(::getpid());
    const auto before = counter.calls();
    call(100);
    const auto after = counter.calls();
    CHECK(before.has_value() == counter.why_not().empty());
    CHECK(after.has_value() == before.has_value());
    if (after)
        CHECK(*after - *before == 101); // and the read that tells
}

TEST_CASE("the calls of a thread that began later are counted too")
{
    const call_counter counter(::getpid());
    const auto before = counter.calls();
    std::thread(call, 10'000).join();
    const auto after = counter.calls();
    if (after)
        CHECK(*after - *before >= 10'000);
}
