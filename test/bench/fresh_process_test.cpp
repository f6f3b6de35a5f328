#include "support/catch.hpp"

#include "bench/fresh_process.hpp"

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using vk::bench::in_fresh_process;
using vk::bench::timing;

namespace {

constexpr unsigned seconds_max = 10;

std::int64_t idle(std::uint64_t n)
{
    return static_cast<std::int64_t>(n) * 3;
}

std::int64_t fill_memory(std::uint64_t bytes)
{
    const std::vector<char> all(bytes, 'x');
    vk::bench::keep(all);
    return 1;
}

} // namespace

TEST_CASE("a process of its own says what it measured, and leaves its memory behind")
{
    constexpr std::uint64_t bytes = 64'000'000;
    const double full = in_fresh_process(fill_memory, bytes, 0, seconds_max).peak_bytes;
    CHECK(full > 64e6);
    const auto after = in_fresh_process(idle, 14, 0, seconds_max);
    CHECK(after.ns == 42);
    CHECK(after.peak_bytes > 0);
    CHECK(after.peak_bytes < full - 32e6); // a sanitizer has memory of its own
}

TEST_CASE("what a process of its own does instead of measuring is said")
{
    const auto run = [](const timing& what) { return in_fresh_process(what, 1, 0, seconds_max); };
    CHECK_THROWS_WITH(
        run([](std::uint64_t) -> std::int64_t { throw std::runtime_error("the sum is wrong"); }),
        "the sum is wrong");
    CHECK_THROWS_WITH(run([](std::uint64_t) -> std::int64_t { ::_exit(3); }),
                      ContainsSubstring("status 3"));
    CHECK_THROWS_WITH(run([](std::uint64_t) -> std::int64_t { return ::raise(SIGKILL); }),
                      ContainsSubstring("signal 9"));
}

TEST_CASE("a process of its own that takes too long is killed")
{
    const timing endless = [](std::uint64_t) -> std::int64_t {
        for (;;)
            ::pause();
    };
    CHECK_THROWS_WITH(in_fresh_process(endless, 1, 0, 1), "took longer than 1 s");
}
