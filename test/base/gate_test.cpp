#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"

#include <vk/base/assert.hpp>
#include <vk/base/call_name.hpp>
#include <vk/base/gate.hpp>
#include <vk/base/log.hpp>
#include <vk/base/os.hpp>
#include <vk/base/refused_call.hpp>

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace gate = vk::gate;
using vk::test::ending;
using vk::test::has_gate;
using vk::test::in_child;

// What is checked while the gate is closed is checked once it is open: the framework makes calls of its own.

namespace {

void refuse(void* self, const gate::call& refused)
{
    ++*static_cast<int*>(self);
    throw vk::refused_call(refused.number);
}

// What became of something done while the gate was closed.
struct outcome {
    int refused = 0; // the number of the call, or 0
    int times = 0;   // that the refuser was called
    gate::state after = gate::state::open;
};

template <class Do>
outcome behind_gate(Do what)
{
    outcome found;
    gate::watch here({refuse, &found.times});
    gate::close();
    try {
        what();
    } catch (const vk::refused_call& e) {
        found.refused = e.number();
    }
    found.after = gate::selector;
    gate::open();
    return found;
}

// A call without the C library, which says of some that they throw nothing.
[[gnu::noinline]] long made_here(long number, long a, long b, long c, long d, long e)
{
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    asm volatile("syscall"
                 : "+a"(number)
                 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                 : "rcx", "r11", "memory");
    return number;
}
long (*volatile made)(long, long, long, long, long, long) = made_here;

int refused_number(long number, long a = -1, long b = -1, long c = -1, long d = -1, long e = -1)
{
    return behind_gate([&] { (void)made(number, a, b, c, d, e); }).refused;
}

volatile std::sig_atomic_t alarms = 0;

// Alarms every millisecond, counted, for as long as it lives.
class alarm_clock {
public:
    explicit alarm_clock(void (*handler)(int) = [](int) { alarms = alarms + 1; })
    {
        alarms = 0;
        struct sigaction wanted{};
        wanted.sa_handler = handler;
        ::sigaction(SIGALRM, &wanted, &before_);
        const itimerval each_ms{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_REAL, &each_ms, nullptr);
    }
    ~alarm_clock()
    {
        const itimerval none{};
        ::setitimer(ITIMER_REAL, &none, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    alarm_clock(const alarm_clock&) = delete;
    alarm_clock& operator=(const alarm_clock&) = delete;

private:
    struct sigaction before_{};
};

sigjmp_buf landing;

} // namespace

TEST_CASE("a system call is refused while the gate is closed, and passes while it is open")
{
    if (!has_gate())
        return;
    int times = 0;
    gate::watch here({refuse, &times});
    int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    gate::close();
    int number = 0;
    std::string name;
    int error = 0;
    try {
        (void)::open("/dev/null", O_RDONLY | O_CLOEXEC);
    } catch (const vk::refused_call& e) {
        number = e.number();
        name = e.name();
        error = e.code().value();
    }
    gate::open();
    CHECK(fd >= 0);
    CHECK(::close(fd) == 0);
    CHECK(number == SYS_openat);
    CHECK(name == "openat");
    CHECK(error == EPERM);
    CHECK(times == 1);
}

TEST_CASE("a refused call was not made, and the next is refused too")
{
    if (!has_gate())
        return;
    int fds[2];
    REQUIRE(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    int refused = 0;
    outcome found = behind_gate([&] {
        for (int i = 0; i < 1000; ++i)
            try {
                (void)!::write(fds[1], "x", 1);
            } catch (const vk::refused_call& e) {
                refused += e.number() == SYS_write;
            }
    });
    char byte;
    CHECK(::read(fds[0], &byte, 1) == -1);
    CHECK(refused == 1000);
    CHECK(found.times == 1000);
    CHECK(found.after == gate::state::closed);
    ::close(fds[0]);
    ::close(fds[1]);
}

TEST_CASE("calls that block the kernel, reach files, sockets and processes, or change protections "
          "are refused")
{
    if (!has_gate())
        return;
    for (long number : {SYS_read,
                        SYS_write,
                        SYS_readv,
                        SYS_sendto,
                        SYS_recvfrom,
                        SYS_open,
                        SYS_openat,
                        SYS_close,
                        SYS_stat,
                        SYS_ioctl,
                        SYS_socket,
                        SYS_connect,
                        SYS_accept4,
                        SYS_poll,
                        SYS_epoll_wait,
                        SYS_nanosleep,
                        SYS_clock_nanosleep,
                        SYS_pause,
                        SYS_mprotect,
                        SYS_pkey_mprotect,
                        SYS_prctl,
                        SYS_arch_prctl,
                        SYS_fork,
                        SYS_clone,
                        SYS_clone3,
                        SYS_execve,
                        SYS_kill,
                        SYS_tkill,
                        SYS_rt_sigaction,
                        SYS_sigaltstack,
                        SYS_io_uring_enter,
                        SYS_exit_group}) {
        INFO(vk::call_name(static_cast<int>(number)));
        CHECK(refused_number(number) == number);
    }
    CHECK(refused_number(SYS_tgkill, ::getpid(), ::gettid(), SIGTERM) == SYS_tgkill);
    CHECK(refused_number(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, -1) == SYS_mmap);
    CHECK(refused_number(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS) ==
          SYS_mmap);
    CHECK(refused_number(9999) == 9999);
}

TEST_CASE("the C++ library's files are refused, by an exception through it")
{
    if (!has_gate())
        return;
    outcome found = behind_gate([] { std::ifstream file("/etc/passwd"); });
    CHECK(found.refused == SYS_openat);
    CHECK(behind_gate([] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }).refused ==
          SYS_clock_nanosleep);
}

TEST_CASE("memory can be had while the gate is closed")
{
    if (!has_gate())
        return;
    bool good = true;
    outcome found = behind_gate([&] {
        for (std::size_t bytes = 1000; bytes < 100'000'000; bytes *= 10) {
            auto* at = static_cast<char*>(std::malloc(bytes));
            std::memset(at, 1, bytes);
            at = static_cast<char*>(std::realloc(at, 2 * bytes));
            good &= at && at[bytes - 1] == 1;
            std::free(at);
        }
        std::vector<std::vector<int>> many(1000, std::vector<int>(1000));
        good &= many[999][999] == 0;
    });
    CHECK(good);
    CHECK(found.times == 0);
}

TEST_CASE("locks, clocks, random numbers and the number of the program can be had too")
{
    if (!has_gate())
        return;
    std::mutex lock;
    lock.lock();
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        lock.unlock();
    });
    long result[4] = {};
    timespec now{};
    unsigned key = 0;
    int pid = 0;
    outcome found = behind_gate([&] {
        lock.lock(); // waits for the other
        result[0] = made(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&now), 0, 0, 0);
        result[1] = made(SYS_getrandom, reinterpret_cast<long>(&key), sizeof(key), 0, 0, 0);
        result[2] = made(SYS_sched_yield, 0, 0, 0, 0, 0);
        result[3] = made(SYS_clock_gettime, 12345, 0, 0, 0, 0);
        pid = ::getpid();
    });
    other.join();
    CHECK(found.times == 0);
    CHECK(result[0] == 0);
    CHECK(now.tv_sec + now.tv_nsec > 0);
    CHECK(result[1] == sizeof(key));
    CHECK(result[2] == 0);
    CHECK(result[3] == -EINVAL); // an error of the system is what the caller gets
    CHECK(pid == ::getpid());
}

TEST_CASE("registers and flags are as they were, but for those that every call changes")
{
    if (!has_gate())
        return;
    unsigned long kept[6] = {};
    outcome found = behind_gate([&] {
        asm volatile("movq $1, %%rbx\n"
                     "movq $2, %%r12\n"
                     "movq $3, %%rdi\n"
                     "movq $4, %%r9\n"
                     "movl %[call], %%eax\n"
                     "stc\n"
                     "syscall\n"
                     "setc %%al\n"
                     "movzbq %%al, %%rax\n"
                     "movq %%rbx, 0(%[to])\n"
                     "movq %%r12, 8(%[to])\n"
                     "movq %%rdi, 16(%[to])\n"
                     "movq %%r9, 24(%[to])\n"
                     "movq %%rax, 32(%[to])\n"
                     :
                     : [to] "r"(kept), [call] "i"(SYS_getpid)
                     : "rax", "rbx", "r12", "rdi", "r9", "rcx", "r11", "memory", "cc");
    });
    CHECK(found.times == 0);
    CHECK(kept[0] == 1);
    CHECK(kept[1] == 2);
    CHECK(kept[2] == 3);
    CHECK(kept[3] == 4);
    CHECK(kept[4] == 1);
}

TEST_CASE("a pass lets calls through for as long as it lives, also within another")
{
    if (!has_gate())
        return;
    int fds[3] = {-1, -1, -1};
    outcome found = behind_gate([&] {
        {
            gate::pass outer;
            fds[0] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
            {
                gate::pass inner;
                fds[1] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
            }
            fds[2] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
        (void)::open("/dev/null", O_RDONLY | O_CLOEXEC);
    });
    for (int fd : fds)
        CHECK(::close(fd) == 0);
    CHECK(found.refused == SYS_openat);
    CHECK(found.times == 1);
}

TEST_CASE("the library's own calls and its log pass")
{
    if (!has_gate())
        return;
    ending ended = in_child([] {
        int fd = -1;
        outcome found = behind_gate([&] {
            int fds[2];
            if (vk::os::pipe(fds) == 0 && vk::os::write(fds[1], "x", 1) == 1)
                fd = vk::os::close(fds[0]) + vk::os::close(fds[1]);
            vk::log::warn("said behind the gate");
        });
        return fd == 0 && found.times == 0 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(ended.said.find("said behind the gate") != std::string::npos);
}

TEST_CASE("a broken rule is said, and ends the program, behind the gate as before it")
{
    if (!has_gate())
        return;
    ending ended = in_child([] {
        behind_gate([] { vk::assertion_failed(vk::blame::caller, "what broke", "a file", 7); });
        return 0;
    });
    INFO(ended.text());
    CHECK(ended.killed_by(SIGABRT));
    CHECK(ended.said.find("what broke") != std::string::npos);
}

// --- signals -------------------------------------------------------------------------------------------

TEST_CASE("a signal handler of somebody else that interrupts returns, and the gate is as it was")
{
    if (!has_gate())
        return;
    alarm_clock clock;
    outcome found = behind_gate([&] {
        while (alarms < 20) {}
        (void)::open("/dev/null", O_RDONLY | O_CLOEXEC);
    });
    CHECK(alarms >= 20);
    CHECK(found.refused == SYS_openat);
    CHECK(found.times == 1);
}

TEST_CASE("a signal handler that jumps away restores the mask, and the next signal comes")
{
    if (!has_gate())
        return;
    alarm_clock clock([](int) {
        alarms = alarms + 1;
        ::siglongjmp(landing, 1); // SIGALRM is blocked here
    });
    outcome found = behind_gate([&] {
        (void)sigsetjmp(landing, 1);
        while (alarms < 5) {}
    });
    CHECK(alarms >= 5);
    CHECK(found.times == 0);
}

TEST_CASE("signals are blocked and unblocked as asked, but for the one that the gate needs")
{
    if (!has_gate())
        return;
    sigset_t all;
    sigset_t before;
    sigset_t within;
    sigset_t after;
    sigfillset(&all);
    outcome found = behind_gate([&] {
        ::sigprocmask(SIG_BLOCK, &all, &before);
        ::sigprocmask(SIG_SETMASK, nullptr, &within);
        try {
            (void)::open("/dev/null",
                         O_RDONLY | O_CLOEXEC); // with SIGSYS blocked the program would end
        } catch (const vk::refused_call&) {
        }
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        ::sigprocmask(SIG_SETMASK, nullptr, &after);
    });
    CHECK(found.times == 1);
    CHECK_FALSE(sigismember(&before, SIGUSR1));
    CHECK(sigismember(&within, SIGUSR1));
    CHECK_FALSE(sigismember(&within, SIGSYS));
    CHECK_FALSE(sigismember(&after, SIGUSR1));
}

TEST_CASE("abort ends a program behind the gate, be there a handler that returns")
{
    if (!has_gate())
        return;
    CHECK(in_child([] {
              behind_gate([] { std::abort(); });
              return 0;
          }).killed_by(SIGABRT));
    CHECK(in_child([] {
              std::signal(SIGABRT, [](int) { alarms = 1; });
              behind_gate([] { std::abort(); });
              return 0;
          }).killed_by(SIGABRT));
}

TEST_CASE("a SIGSYS that is not of a gate goes to whoever had it, or ends the program")
{
    if (!has_gate())
        return;
    CHECK(in_child([] {
              behind_gate([] {});
              std::raise(SIGSYS);
              return 0;
          }).killed_by(SIGSYS));
}

// --- whom it watches -----------------------------------------------------------------------------------

TEST_CASE("other threads are not watched, nor is a child")
{
    if (!has_gate())
        return;
    int fd = -1;
    ending ended;
    outcome found = behind_gate([&] {
        gate::pass through;
        std::thread([&] {
            gate::close();
            fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        }).join();
        ended = in_child([] {
            gate::close();
            return ::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1;
        });
    });
    CHECK(::close(fd) == 0);
    CHECK(ended.exited_with(0));
    CHECK(found.times == 0);
}

TEST_CASE("what the system changed for the handler is put right before a call is made or refused")
{
    if (!has_gate())
        return;
    struct order {
        std::string of;
    } seen;
    seen.of.reserve(10);
    auto refuse_it = [](void* self, const gate::call&) { static_cast<order*>(self)->of += 'r'; };
    auto reopen = [](void* self) noexcept { static_cast<order*>(self)->of += 'o'; };
    long failed = 0;
    {
        gate::watch here({refuse_it, &seen, reopen, &seen});
        gate::close();
        (void)::getpid();
        seen.of += 'p';
        failed = made(SYS_close, -1, 0, 0, 0, 0);
        gate::open();
    }
    CHECK(seen.of == "opor");
    CHECK(failed == -EPERM); // since the refuser returned
}

TEST_CASE("nothing is refused once nobody watches")
{
    if (!has_gate())
        return;
    int times = 0;
    {
        gate::watch here({refuse, &times});
    }
    gate::close();
    int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    gate::open();
    CHECK(::close(fd) == 0);
    CHECK(times == 0);
}

TEST_CASE("a thread that is not the program's first can have no gate")
{
    int error = 0;
    std::thread([&] {
        try {
            gate::require();
        } catch (const vk::error& e) {
            error = e.code().value();
        }
    }).join();
    if (has_gate())
        CHECK(error == EINVAL);
}

TEST_CASE("a call that has no name is told by its number")
{
    CHECK(vk::text_of_call(SYS_openat) == "openat(2)");
    CHECK(vk::text_of_call(9999) == "system call 9999");
    CHECK(std::string(vk::refused_call(9999).name()).empty());
    CHECK(std::string(vk::refused_call(SYS_fork).what()).find("fork(2)") != std::string::npos);
}
