#include "support/catch.hpp"
#include "support/fds.hpp"

#include <vk/base/os.hpp>
#include <vk/base/uring.hpp>

#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include <poll.h>

using vk::os::uring;
using vk::test::socket_pair;
using vk::test::tcp_pair;

namespace {

struct completion {
    std::uint64_t about;
    int result;
    unsigned flags;
};

std::vector<completion> take(uring& from)
{
    std::vector<completion> all;
    from.completions([&](std::uint64_t about, int result, unsigned flags) {
        all.push_back({about, result, flags});
    });
    return all;
}

constexpr std::int64_t soon = 2'000'000'000; // ends early, unless something is broken

// Where the system has no io_uring there is nothing to test; a poller says so in its log.
#define REQUIRE_OPEN(ring, submissions, completions)                                               \
    do {                                                                                           \
        int opened = (ring).open(submissions, completions);                                        \
        if (opened == -ENOSYS || opened == -EPERM) {                                               \
            WARN("io_uring is not allowed here");                                                  \
            return;                                                                                \
        }                                                                                          \
        REQUIRE(opened == 0);                                                                      \
    } while (false)

} // namespace

TEST_CASE("an io_uring that was not opened does nothing")
{
    uring ring;
    CHECK(ring.enter(-1) == -EBADF);
}

TEST_CASE("a wait of io_uring ends at its timeout")
{
    uring ring;
    REQUIRE_OPEN(ring, 8, 8);
    std::int64_t before = vk::os::now();
    CHECK(ring.enter(3'000'000) == -ETIME);
    CHECK(vk::os::now() - before >= 3'000'000);
    CHECK(ring.enter(0) >= 0);
    CHECK(take(ring).empty());
}

TEST_CASE("completions that do not fit are not lost")
{
    uring ring;
    REQUIRE_OPEN(ring, 4, 8);
    std::vector<socket_pair> fds(100);
    for (std::size_t i = 0; i < fds.size(); ++i) { // more than there are places to prepare
        vk::test::write_all(fds[i].far.get(), "x");
        ring.poll(fds[i].near.get(), POLLIN, false, i);
    }
    std::set<std::uint64_t> seen;
    bool overflown = false;
    for (int i = 0; i < 100 && seen.size() < fds.size(); ++i) {
        ring.enter(0);
        overflown |= ring.overflown();
        for (const completion& one : take(ring)) {
            CHECK(one.result == POLLIN);
            CHECK(seen.insert(one.about).second);
        }
    }
    CHECK(overflown);
    CHECK(seen.size() == fds.size());
}

TEST_CASE("a send that is taken whole completes silently, and one that is not says how much was")
{
    uring ring;
    REQUIRE_OPEN(ring, 8, 8);
    tcp_pair fds;
    ring.send(fds.near.get(), "hello", 5, 1);
    ring.enter(0);
    CHECK(take(ring).empty());
    CHECK(vk::test::read_exactly(fds.far.get(), 5) == "hello");

    const std::string much(64u << 20, 'x');
    ring.send(fds.near.get(), much.data(), much.size(), 2);
    ring.enter(0);
    std::vector<completion> seen = take(ring);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].about == 2);
    CHECK(seen[0].result > 0);
    CHECK(seen[0].result < static_cast<int>(much.size()));

    ring.send(fds.near.get(), "more", 4, 3);
    ring.enter(0);
    seen = take(ring);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].result == -EAGAIN);
}

TEST_CASE("bytes are received into the buffers that were provided, until there are none")
{
    uring ring;
    REQUIRE_OPEN(ring, 8, 64);
    std::vector<std::byte> memory(4 * 16);
    REQUIRE(ring.provide(memory.data(), 4, 10, 16) == 0);
    tcp_pair fds;
    ring.receive(fds.near.get(), 7);
    vk::test::write_all(fds.far.get(), std::string(25, 'x'));
    ring.enter(soon);
    std::vector<completion> seen = take(ring);
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].result == 10);
    CHECK(seen[2].result == 5);
    CHECK(uring::more(seen[2].flags));
    std::set<unsigned> buffers;
    for (const completion& one : seen) {
        CHECK(uring::has_buffer(one.flags));
        buffers.insert(uring::buffer_of(one.flags));
    }
    CHECK(buffers.size() == 3);

    vk::test::write_all(fds.far.get(), std::string(25, 'y'));
    ring.enter(soon);
    seen = take(ring);
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].result == 10);
    CHECK(seen[1].result == -ENOBUFS);
    CHECK_FALSE(uring::more(seen[1].flags));

    ring.give_back(*buffers.begin());
    ring.receive(fds.near.get(), 8);
    ring.enter(soon);
    seen = take(ring);
    REQUIRE(!seen.empty());
    CHECK(seen[0].about == 8);
    CHECK(uring::buffer_of(seen[0].flags) == *buffers.begin());
}

TEST_CASE("bytes and a reset that come together both complete")
{
    uring ring;
    REQUIRE_OPEN(ring, 8, 8);
    std::vector<std::byte> memory(4 * 16);
    REQUIRE(ring.provide(memory.data(), 4, 16, 16) == 0);
    tcp_pair fds;
    ring.receive(fds.near.get(), 1);
    ring.enter(0);
    vk::test::write_all(fds.far.get(), "abc");
    fds.reset();
    std::vector<int> results;
    for (int i = 0; i < 4 && results.size() < 2; ++i) {
        ring.enter(soon / 4);
        for (const completion& one : take(ring))
            results.push_back(one.result);
    }
    CHECK(results == std::vector<int>{3, -ECONNRESET});
}

TEST_CASE("what is cancelled completes, and what was complete is said to be")
{
    uring ring;
    REQUIRE_OPEN(ring, 8, 8);
    socket_pair fds;
    ring.poll(fds.near.get(), POLLIN, true, 1);
    ring.cancel(1, 2);
    ring.enter(soon);
    std::vector<completion> seen = take(ring);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].about == 1);
    CHECK(seen[0].result == -ECANCELED);
    ring.cancel(1, 3);
    ring.enter(soon);
    seen = take(ring);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].about == 3);
    CHECK(seen[0].result == -ENOENT);
}
