#include "support/catch.hpp"
#include "support/child.hpp"

#include <vk/service/workers.hpp>

#include <csignal>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using vk::counters;
using vk::worker_crew;
using vk::test::ending;
using vk::test::in_child;

// In children: run_workers() forks, and blocks signals for good.

namespace {

using ready_function = std::function<void()>;

// Waits for SIGTERM, which the crew has blocked, as a kernel would.
void wait_for_term()
{
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    int number = 0;
    ::sigwait(&wanted, &number);
}

void end_the_crew()
{
    ::kill(::getppid(), SIGTERM);
}

void die()
{
    ::kill(::getpid(), SIGKILL);
}

// A number that the parent and all workers share.
class shared_number {
public:
    shared_number()
        : at_(static_cast<int*>(::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0)))
    {
    }
    ~shared_number() { ::munmap(at_, sizeof(int)); }
    shared_number(const shared_number&) = delete;
    shared_number& operator=(const shared_number&) = delete;

    int next() noexcept { return __atomic_fetch_add(at_, 1, __ATOMIC_SEQ_CST); }
    int value() const noexcept { return __atomic_load_n(at_, __ATOMIC_SEQ_CST); }

private:
    int* at_;
};

// Quick, for tests that see a worker die over and over.
constexpr vk::worker_restart_policy quick{.pause_ms_first = 1,
                                          .pause_ms_max = 2,
                                          .well_ms = 10'000,
                                          .restarts_max = 5,
                                          .period_ms = 10'000};

std::size_t lines_with(const std::string& text, const std::string& what)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

} // namespace

TEST_CASE("every worker runs, all are announced once, and what they counted adds up")
{
    ending ended = in_child([] {
        int announced = 0;
        shared_number places; // a bit for each
        worker_crew crew;
        crew.work = [&](unsigned worker, const ready_function& ready, counters& own) {
            if (worker < 4)
                places.next();
            own.reads = 10 + worker;
            own.heap_pages_high_water = 3;
            ready();
            wait_for_term();
            own.writes = 1;
            return 0;
        };
        crew.announce = [&announced] {
            ++announced;
            ::kill(::getpid(), SIGTERM); // the parent passes it on
        };
        counters total;
        int status = vk::run_workers(4, crew, total);
        if (announced != 1 || status != 0 || places.value() != 4)
            return 1;
        return total.reads == 46 && total.writes == 4 && total.heap_pages_high_water == 3 &&
                       total.restarts == 0
                   ? 0
                   : 2;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(ended.said.empty());
}

TEST_CASE("a worker that cannot come to serve takes the others with it, in good order")
{
    ending ended = in_child([] {
        worker_crew crew;
        crew.work = [](unsigned worker, const ready_function& ready, counters& own) {
            if (worker == 1)
                return 7;
            ready();
            wait_for_term();
            own.writes = 1;
            return 0;
        };
        counters total;
        int status = vk::run_workers(3, crew, total);
        return status == 1 && total.writes == 2 && total.restarts == 0 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("ended with status 7"));
    CHECK(lines_with(ended.said, "\n") == 1);
}

TEST_CASE("an exception of a worker that starts is a line and a failure")
{
    ending ended = in_child([] {
        worker_crew crew;
        crew.work = [](unsigned, const ready_function&, counters&) -> int {
            throw std::runtime_error("no such luck");
        };
        counters total;
        return vk::run_workers(1, crew, total) == 1 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("no such luck"));
}

TEST_CASE("a worker that is killed before it serves is a failure, reported with the signal")
{
    ending ended = in_child([] {
        worker_crew crew;
        crew.work = [](unsigned, const ready_function&, counters&) {
            die();
            return 0;
        };
        counters total;
        return vk::run_workers(2, crew, total) == 1 && total.restarts == 0 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK_THAT(ended.said, ContainsSubstring("was ended by signal 9"));
}

// --- restarts ------------------------------------------------------------------------------------------

TEST_CASE("a worker that ends early is replaced in its place, however it ended, and counts on")
{
    struct way {
        const char* said;
        int (*end)();
    };
    const way ways[] = {
        {"was ended by signal 9; it is restarted at once",
         [] {
             die();
             return 0;
         }},
        {"ended with status 7; it is restarted at once", [] { return 7; }},
        {"ended early; it is restarted at once", [] { return 0; }},
        {"ended with status 1; it is restarted at once",
         []() -> int { throw std::runtime_error("late"); }},
    };
    for (const way& how : ways) {
        ending ended = in_child([&] {
            shared_number lives;
            worker_crew crew;
            crew.work = [&](unsigned worker, const ready_function& ready, counters& own) {
                own.reads += 10; // its own, whatever its predecessor has counted
                own.heap_pages_high_water = 3;
                ready();
                if (worker == 1) {
                    if (lives.next() == 0)
                        return how.end();
                    end_the_crew();
                }
                wait_for_term();
                own.writes = 1;
                return 0;
            };
            counters total;
            int status = vk::run_workers(2, crew, total);
            return status == 0 && total.reads == 30 && total.writes == 2 && total.restarts == 1 &&
                           total.heap_pages_high_water == 3
                       ? 0
                       : 1;
        });
        INFO(how.said);
        INFO(ended.text());
        CHECK(ended.exited_with(0));
        CHECK_THAT(ended.said, ContainsSubstring("worker 1 ("));
        CHECK_THAT(ended.said, ContainsSubstring(how.said));
        CHECK(lines_with(ended.said, "restarted") == 1);
        CHECK_THAT(ended.said, ContainsSubstring("worker 1 serves again"));
    }
}

TEST_CASE("a worker that dies again and again is given up, and takes the others with it")
{
    ending ended = in_child([] {
        shared_number lives;
        shared_number retired;
        worker_crew crew;
        crew.restarts = quick;
        crew.work = [&](unsigned worker, const ready_function& ready, counters& own) {
            own.reads = 1;
            ready();
            if (worker == 0) {
                lives.next();
                die();
            }
            wait_for_term();
            own.writes = 1;
            return 0;
        };
        crew.retire = [&] { retired.next(); };
        counters total;
        int status = vk::run_workers(2, crew, total);
        return status == 1 && lives.value() == 6 && total.restarts == 5 && total.reads == 7 &&
                       total.writes == 1 && retired.value() == 1
                   ? 0
                   : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, "restarted at once") == 1);
    CHECK(lines_with(ended.said, "restarted in 1 ms") == 1);
    CHECK(lines_with(ended.said, "restarted in 2 ms") == 3);
    CHECK_THAT(ended.said, ContainsSubstring("after 5 restarts within 10 s it is given up"));
}

TEST_CASE("a worker that dies before it serves, where one has served before, is restarted")
{
    ending ended = in_child([] {
        shared_number lives;
        worker_crew crew;
        crew.restarts = quick;
        crew.work = [&](unsigned, const ready_function& ready, counters&) {
            int life = lives.next();
            if (life == 0)
                ready();
            if (life < 4)
                return 1;
            ready();
            end_the_crew();
            wait_for_term();
            return 0;
        };
        counters total;
        int status = vk::run_workers(1, crew, total);
        return status == 0 && total.restarts == 4 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}

TEST_CASE("a signal ends a crew whose worker waits to be restarted, at once and with status 0")
{
    for (int signal : {SIGTERM, SIGINT}) {
        ending ended = in_child([&] {
            shared_number lives;
            worker_crew crew;
            crew.restarts = quick;
            crew.restarts.pause_ms_first = crew.restarts.pause_ms_max = 3'600'000;
            crew.work = [&](unsigned worker, const ready_function& ready, counters&) {
                ready();
                if (worker == 0) {
                    int self = ::getpid();
                    if (lives.next() == 1 && ::fork() == 0) { // signals when this one was reaped
                        while (::kill(self, 0) == 0)
                            ::usleep(1000);
                        ::kill(::getpgrp(), signal);
                        ::_exit(0);
                    }
                    die();
                }
                wait_for_term();
                return 0;
            };
            ::setpgid(0, 0);
            counters total;
            int status = vk::run_workers(1, crew, total);
            return status == 0 && lives.value() == 2 && total.restarts == 1 ? 0 : 1;
        });
        INFO(ended.text());
        CHECK(ended.exited_with(0));
        CHECK(lines_with(ended.said, "restarted in 3600000 ms") == 1);
    }
}

TEST_CASE(
    "what the parent keeps for workers goes before they are told to end, and not when one dies")
{
    ending ended = in_child([] {
        int fds[2];
        if (::pipe2(fds, O_NONBLOCK) != 0)
            return 2;
        shared_number lives;
        worker_crew crew;
        crew.work = [&](unsigned, const ready_function& ready, counters& own) {
            ::close(fds[1]);
            ready();
            char byte;
            own.reads += ::read(fds[0], &byte, 1) < 0; // EAGAIN: the parent has its end
            if (lives.next() == 0)
                die();
            end_the_crew();
            wait_for_term();
            own.writes += ::read(fds[0], &byte, 1) == 0;
            return 0;
        };
        crew.retire = [&] { ::close(fds[1]); };
        counters total;
        int status = vk::run_workers(1, crew, total);
        return status == 0 && total.reads == 2 && total.writes == 1 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}

TEST_CASE("a worker that dies while the crew ends is not replaced, and is a failure")
{
    ending ended = in_child([] {
        shared_number lives;
        worker_crew crew;
        crew.work = [&](unsigned, const ready_function& ready, counters&) {
            lives.next();
            ready();
            wait_for_term();
            die();
            return 0;
        };
        crew.announce = [] { ::kill(::getpid(), SIGTERM); };
        counters total;
        int status = vk::run_workers(2, crew, total);
        return status == 1 && lives.value() == 2 && total.restarts == 0 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, "was ended by signal 9") == 2);
}

TEST_CASE("a worker that cannot be forked any more is tried again")
{
    constexpr int cannot = 77;
    ending ended = in_child([] {
        if (::getuid() == 0 && ::setuid(65'534) != 0) // the superuser may fork without limit
            return cannot;
        shared_number lives;
        worker_crew crew;
        crew.restarts = quick;
        crew.work = [&](unsigned, const ready_function& ready, counters&) {
            ready();
            lives.next();
            die();
            return 0;
        };
        crew.announce = [] {
            const rlimit none{0, 0};
            ::setrlimit(RLIMIT_NPROC, &none);
        };
        counters total;
        int status = vk::run_workers(1, crew, total);
        return status == 1 && lives.value() == 1 && total.restarts == 0 ? 0 : 1;
    });
    if (ended.exited_with(cannot)) {
        WARN("there is no other user whose forks could be limited");
        return;
    }
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended.said, "cannot be started") == 5);
    CHECK_THAT(ended.said, ContainsSubstring("is given up"));
}
