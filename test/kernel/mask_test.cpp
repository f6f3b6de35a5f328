#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/isolation.hpp"
#include "support/reach.hpp"

#include <vk/base/error.hpp>
#include <vk/kernel/kernel.hpp>
#include <vk/kernel/mask.hpp>
#include <vk/memory/heap_pool.hpp>
#include <vk/memory/key_set.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

#include <sys/wait.h>

using vk::heap_pool;
using vk::isolation;
using vk::mask;
using vk::mask_way;
using vk::test::ending;
using vk::test::in_child;
using vk::test::mappings;
using vk::test::mappings_in;
using vk::test::probe;
namespace os = vk::os;

// Those that need protection keys, [keys], are run with a stand-in, and on an emulated CPU.

extern "C" [[gnu::weak]] const bool vk_keys_are_a_stand_in;

namespace {

constexpr std::size_t heap_pages = 2;
constexpr std::size_t heap_bytes = heap_pages * vk::limits::page_bytes;

bool keys_are_real()
{
    return &vk_keys_are_a_stand_in == nullptr;
}

bool there_are_keys()
{
    return !vk::key_set::take(1).empty();
}

// A mask, a kernel's heap and the heaps of processes, all of them taken.
struct masked_heaps {
    masked_heaps(isolation level, mask_way way, std::size_t count)
        : kernel_heap(vk::limits::page_bytes),
          closed({level, way, heap_bytes, kernel_heap.base(), kernel_heap.bytes()}, calls),
          pool(
              {heap_pages, count, true, std::min(count, os::map_count_max() / 2), closed.colours()})
    {
        for (std::size_t i = 0; i < count; ++i)
            heaps.push_back(static_cast<std::byte*>(pool.take()));
        closed.close_kernel();
    }
    ~masked_heaps()
    {
        closed.open_kernel();
        for (std::byte* heap : heaps)
            pool.give(heap, 1, closed.forget(heap));
    }

    void open(std::size_t index) { closed.open(heaps[index], key_of(index)); }
    std::uint8_t key_of(std::size_t index) const { return pool.key_of(heaps[index]); }
    bool reaches(std::size_t index) const { return hand.reaches(heaps[index]); }

    std::size_t reachable() const
    {
        std::size_t found = 0;
        for (std::byte* heap : heaps)
            found += hand.reaches(heap);
        return found;
    }

    probe hand;
    std::uint64_t calls = 0;
    vk::mapping kernel_heap;
    mask closed;
    heap_pool pool;
    std::vector<std::byte*> heaps;
};

// How an access to `at` ends: with the code of its fault, 0 if there was none.
int code_of_access(volatile std::byte* at)
{
    ending ended = in_child([at] {
        struct sigaction action{};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t* what, void*) { ::_exit(100 + what->si_code); };
        ::sigaction(SIGSEGV, &action, nullptr);
        *at = std::byte{1};
        return 100;
    });
    INFO(ended.text());
    REQUIRE(WIFEXITED(ended.status));
    return WEXITSTATUS(ended.status) - 100;
}

} // namespace

TEST_CASE("of masked heaps the one that was opened last is in reach", "[mask]")
{
    masked_heaps all(isolation::process, mask_way::mprotect, 8);
    CHECK(all.closed.name() == "mprotect");
    CHECK(all.reachable() == 0);
    for (std::size_t i : {3, 4, 3, 0, 7, 7, 1}) {
        all.open(i);
        CHECK(all.reaches(i));
        CHECK(all.reachable() == 1);
    }
    CHECK(code_of_access(all.heaps[1]) == 0);
    CHECK(code_of_access(all.heaps[2]) == SEGV_ACCERR);
}

TEST_CASE("what is open needs no call to be opened", "[mask]")
{
    masked_heaps all(isolation::process, mask_way::mprotect, 2);
    all.open(0);
    CHECK(all.calls == 1);
    all.open(0);
    CHECK(all.calls == 1);
    all.open(1);
    CHECK(all.calls == 3);
    all.closed.open_kernel();
    all.closed.close_kernel();
    all.open(1);
    CHECK(all.calls == 3);
}

TEST_CASE("a heap that is forgotten is not closed for the next one", "[mask]")
{
    masked_heaps all(isolation::process, mask_way::mprotect, 2);
    all.open(0);
    CHECK_FALSE(all.closed.forget(all.heaps[1]));
    CHECK(all.closed.forget(all.heaps[0]));
    CHECK_FALSE(all.closed.forget(all.heaps[0]));
    all.open(1);
    CHECK(all.calls == 2);
    CHECK(all.reachable() == 2); // it is for the pool to mask
    REQUIRE(os::protect(all.heaps[0], heap_bytes, os::access::none) == 0);
}

TEST_CASE("the kernel's heap is closed between two calls, on the level full alone", "[mask]")
{
    masked_heaps full(isolation::full, mask_way::mprotect, 1);
    CHECK_FALSE(full.hand.reaches(full.kernel_heap.base()));
    CHECK(full.calls == 1);
    full.closed.open_kernel();
    CHECK(full.hand.reaches(full.kernel_heap.base()));
    full.closed.close_kernel();

    masked_heaps process(isolation::process, mask_way::mprotect, 1);
    CHECK(process.hand.reaches(process.kernel_heap.base()));
    CHECK(process.calls == 0);
}

TEST_CASE("each of 1,000 masked heaps is a kernel mapping of its own", "[mask]")
{
    masked_heaps all(isolation::process, mask_way::mprotect, 1'000);
    std::byte* first = all.heaps.front();
    std::byte* end = all.heaps.back() + heap_bytes;
    REQUIRE(end - first == 1'000 * heap_bytes);
    for (std::size_t i = 0; i < 1'000; i += 7) {
        all.open(i);
        CHECK(all.reaches(i));
    }
    CHECK(all.reachable() == 1);
    CHECK(mappings_in(first, end) == 1'000);
}

TEST_CASE("200,000 masked heaps stay below the system's limit of mappings, and each is closed",
          "[mask]")
{
    constexpr std::size_t count = 200'000;
    std::size_t limit = os::map_count_max();
    masked_heaps all(isolation::process, mask_way::mprotect, count);
    std::byte* first = all.heaps.front();
    std::byte* end = all.heaps.back() + heap_bytes;
    std::size_t apart = std::min(count, limit / 2);
    std::size_t wrong = 0;
    std::size_t most = 0;
    // By a stride that is prime to the count, so that neighbours do not follow each other.
    for (std::size_t turn = 0, at = 0; turn < 10'000; ++turn, at = (at + 70'001) % count) {
        std::size_t before = (at + count - 70'001) % count;
        all.open(at);
        wrong += !all.reaches(at) || (turn > 0 && all.reaches(before));
        if (turn % 2'000 == 0)
            most = std::max(most, mappings_in(first, end));
    }
    CHECK(wrong == 0);
    CHECK(all.reachable() == 1);
    CHECK(most >= apart);     // those that can have their own have it,
    CHECK(most <= apart + 3); // the others are merged but for the open one
    CHECK(mappings() < limit);
}

TEST_CASE("a kernel names what it masks by", "[mask]")
{
    const bool keys = there_are_keys(); // a kernel takes them all
    vk::kernel_options options = vk::test::kernel_options_here();
    options.isolation = isolation::none;
    CHECK(vk::kernel::make(options)->mask_name() == "none");
    options.isolation = isolation::full;
    options.mask = mask_way::mprotect;
    CHECK(vk::kernel::make(options)->mask_name() == "mprotect");
    options.mask = mask_way::automatic;
    CHECK(vk::kernel::make(options)->mask_name() == (keys ? "pkey" : "mprotect"));
}

TEST_CASE("protection keys are refused where there are none", "[mask]")
{
    vk::key_set others = vk::key_set::take(1); // on a CPU that has some
    vk::kernel_options options = vk::test::kernel_options_here();
    options.mask = mask_way::pkey;
    for (isolation level : {isolation::process, isolation::full}) {
        options.isolation = level;
        try {
            vk::kernel::make(options);
            FAIL("was made");
        } catch (const vk::error& e) {
            CHECK(e.code() == std::errc::operation_not_supported);
            CHECK(std::string(e.what()).find("protection keys") != std::string::npos);
        }
    }
    options.mask = mask_way::automatic;
    CHECK(vk::kernel::make(options)->mask_name() == "mprotect");
    options.isolation = isolation::none;
    options.mask = mask_way::pkey;
    CHECK(vk::kernel::make(options)->mask_name() == "none");
}

TEST_CASE("there are protection keys", "[.keys]")
{
    vk::key_set all = vk::key_set::take(1);
    CHECK(all.keys().size() >= 14);
    CHECK(vk::key_set::take(1).empty()); // each is taken once
    std::size_t count = all.keys().size();
    all = {};
    CHECK(vk::key_set::take(count + 1).empty());
    CHECK(vk::key_set::take(count).keys().size() == count); // given back
}

TEST_CASE("by keys an access to a heap of another colour is a fault, one of the same colour is not",
          "[.keys]")
{
    for (isolation level : {isolation::process, isolation::full}) {
        masked_heaps all(level, mask_way::pkey, 64);
        CHECK(all.closed.name() == "pkey");
        std::size_t colours = all.closed.colours().size();
        CHECK(colours >= (level == isolation::full ? 13 : 14));
        CHECK(all.reachable() == 0);
        std::uint64_t calls = all.calls;
        for (std::size_t running : {0, 5, 6, 63, 20}) {
            all.open(running);
            for (std::size_t other = 0; other < 64; ++other) {
                bool alike = other % colours == running % colours;
                CHECK(all.reaches(other) == alike);
                CHECK(alike == (all.key_of(other) == all.key_of(running)));
            }
        }
        CHECK(all.calls == calls); // without a call
        int fault = keys_are_real() ? SEGV_PKUERR : SEGV_ACCERR;
        CHECK(code_of_access(all.heaps[20]) == 0);
        CHECK(code_of_access(all.heaps[21]) == fault); // a neighbour
        CHECK(code_of_access(all.heaps[19]) == fault);
        CHECK(code_of_access(all.heaps[20 + colours]) == 0); // the stated strength, no more
        CHECK(code_of_access(all.kernel_heap.base()) == (level == isolation::full ? fault : 0));
    }
}

TEST_CASE("by keys every heap is closed while the kernel runs", "[.keys]")
{
    for (isolation level : {isolation::process, isolation::full}) {
        masked_heaps all(level, mask_way::pkey, 32);
        all.open(3);
        CHECK(all.reaches(3));
        all.closed.open_kernel();
        CHECK(all.reachable() == 0);
        CHECK(all.hand.reaches(all.kernel_heap.base()));
        all.closed.close_kernel();
        CHECK(all.reaches(3)); // which ran last
        CHECK(all.hand.reaches(all.kernel_heap.base()) == (level == isolation::process));
    }
}

TEST_CASE("a heap with a key is closed to those of its colour too when it has no process",
          "[.keys]")
{
    masked_heaps all(isolation::process, mask_way::pkey, 32);
    std::size_t colours = all.closed.colours().size();
    std::byte* given = all.heaps[colours];
    all.open(0);
    REQUIRE(all.reaches(colours));
    all.pool.give(given, 1, all.closed.forget(given));
    CHECK_FALSE(all.hand.reaches(given));
    CHECK(code_of_access(given) == SEGV_ACCERR);
    CHECK(all.reaches(0));
    REQUIRE(all.pool.take() == given);
    CHECK(all.reaches(colours));

    // One that ran last, too.
    all.open(colours);
    all.pool.give(given, 1, all.closed.forget(given));
    CHECK_FALSE(all.hand.reaches(given));
    all.open(1);
    REQUIRE(all.pool.take() == given);
    CHECK_FALSE(all.hand.reaches(given));
}

TEST_CASE("each of 1,000 heaps with keys is a kernel mapping of its own", "[.keys]")
{
    masked_heaps all(isolation::full, mask_way::pkey, 1'000);
    std::byte* first = all.heaps.front();
    std::byte* end = all.heaps.back() + heap_bytes;
    for (std::size_t i = 0; i < 1'000; i += 7)
        all.open(i);
    if (keys_are_real())
        CHECK(mappings_in(first, end) == 1'000);
    std::size_t colours = all.closed.colours().size();
    CHECK(all.reachable() <= 1'000 / colours + 1);
    CHECK(all.reachable() >= 1'000 / colours);
}

TEST_CASE("of 200,000 heaps those beyond the limit of mappings have no key and are closed each",
          "[.keys]")
{
    constexpr std::size_t count = 200'000;
    std::size_t limit = os::map_count_max();
    masked_heaps all(isolation::process, mask_way::pkey, count);
    std::size_t apart = std::min(count - 1, limit / 2);
    CHECK(all.key_of(apart - 1) != 0);
    CHECK(all.key_of(apart) == 0);
    std::size_t wrong = 0;
    std::size_t keyless = 0;
    for (std::size_t turn = 0, at = 0; turn < 200; ++turn, at = (at + 70'001) % count) {
        std::size_t before = (at + count - 70'001) % count;
        all.open(at);
        wrong += !all.reaches(at);
        wrong += turn > 0 && all.reaches(before) &&
                 (all.key_of(before) == 0 || all.key_of(before) != all.key_of(at));
        keyless += all.key_of(at) == 0;
    }
    CHECK(wrong == 0);
    CHECK(keyless > 100);
    CHECK(all.calls > keyless);
    CHECK(mappings() < limit);
    all.open(apart);
    CHECK(all.reachable() == 1);
    all.open(0);
    CHECK_FALSE(all.reaches(apart));
}

namespace {

mask* interrupted = nullptr;
const masked_heaps* seen = nullptr;
bool open_at_first = false;
bool open_later = false;

void look(int)
{
    open_at_first = seen->reaches(1);
    interrupted->reopen();
    open_later = seen->reaches(1);
}

} // namespace

TEST_CASE("a signal handler has no rights by keys until it takes back those that there were",
          "[.keys]")
{
    masked_heaps all(isolation::full, mask_way::pkey, 4);
    interrupted = &all.closed;
    seen = &all;
    all.open(1);
    auto before = std::signal(SIGUSR1, look);
    std::raise(SIGUSR1);
    std::signal(SIGUSR1, before);
    if (keys_are_real())
        CHECK_FALSE(open_at_first);
    CHECK(open_later);
    CHECK(all.reaches(1));
    CHECK_FALSE(all.reaches(2));
    CHECK_FALSE(all.hand.reaches(all.kernel_heap.base()));
}
