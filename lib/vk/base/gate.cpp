#include "vk/base/gate.hpp"

#include "vk/base/error.hpp"

#include <cerrno>

#if defined(__linux__) && defined(__x86_64__)

#include <csignal>
#include <cstddef>
#include <mutex>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#if !defined(PR_SET_SYSCALL_USER_DISPATCH)
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

// The few instructions from which calls always pass, so that the handler can make one, and return.
//
//   made     a system call: its number, six arguments; -errno if it fails
//   resume   rt_sigreturn(2) in the very bytes by which unwinders know the frame of a signal, of which nothing else
//            tells them; they look at the byte before it, which is of no function
//
// The system compares the address behind the instruction: the last byte is there to be within.
asm(R"(
    .pushsection .text
    .globl _ZN2vk4gate5firstE, _ZN2vk4gate4madeElllllll, _ZN2vk4gate6resumeEv, _ZN2vk4gate4lastE
    .hidden _ZN2vk4gate5firstE, _ZN2vk4gate4madeElllllll, _ZN2vk4gate6resumeEv, _ZN2vk4gate4lastE
    .p2align 4
_ZN2vk4gate5firstE:
    .type _ZN2vk4gate4madeElllllll, @function
_ZN2vk4gate4madeElllllll:
    .cfi_startproc
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    syscall
    ret
    .cfi_endproc
    .size _ZN2vk4gate4madeElllllll, . - _ZN2vk4gate4madeElllllll
    nop
    .type _ZN2vk4gate6resumeEv, @function
_ZN2vk4gate6resumeEv:
    movq $15, %rax
    syscall
    .size _ZN2vk4gate6resumeEv, . - _ZN2vk4gate6resumeEv
    ud2
_ZN2vk4gate4lastE:
    .popsection
)");

namespace vk::gate {

[[gnu::visibility("hidden")]] extern const char first[];
[[gnu::visibility("hidden")]] extern const char last[];
[[gnu::visibility("hidden")]] long made(long number, long a, long b, long c, long d, long e,
                                        long f);
[[gnu::visibility("hidden")]] void resume();

namespace {

constexpr int user_dispatch = 2;                    // SYS_USER_DISPATCH of <asm/siginfo.h>
constexpr unsigned int x86_64 = 0xc000003e;         // AUDIT_ARCH_X86_64 of <linux/audit.h>
constexpr unsigned long with_restorer = 0x04000000; // SA_RESTORER of <asm/signal.h>
constexpr std::size_t mask_bytes = 8;               // of the system's own sigset_t

long made(long number, long a = 0, long b = 0, long c = 0, long d = 0)
{
    return gate::made(number, a, b, c, d, 0, 0);
}

// What is trapped, as the handler finds it.
class trapped {
public:
    explicit trapped(void* context) noexcept
        : registers_(static_cast<ucontext_t*>(context)->uc_mcontext.gregs),
          mask_(&static_cast<ucontext_t*>(context)->uc_sigmask)
    {
    }

    long number() const noexcept { return registers_[REG_RAX]; }
    long argument(int index) const noexcept
    {
        constexpr int places[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
        return registers_[places[index]];
    }

    void make() const
    {
        registers_[REG_RAX] = gate::made(number(), argument(0), argument(1), argument(2),
                                         argument(3), argument(4), argument(5));
    }
    void answer(long result) const noexcept { registers_[REG_RAX] = result; }

    /// Make it where it passes, for a call that returns elsewhere.
    void go_on_at(void (*instruction)()) const noexcept
    {
        registers_[REG_RIP] = reinterpret_cast<greg_t>(instruction);
    }

    /// The signals that are blocked once the handler has returned.
    unsigned long& mask() const noexcept { return *reinterpret_cast<unsigned long*>(mask_); }

private:
    greg_t* registers_;
    sigset_t* mask_;
};

// --- what passes ------------------------------------------------------------------------------------

bool always(const trapped&)
{
    return true;
}

bool is_plain_memory(const trapped& call)
{
    return (call.argument(3) & MAP_ANONYMOUS) && !(call.argument(2) & PROT_EXEC);
}

bool asks_only(const trapped& call)
{
    return call.argument(0) == 0;
}

bool is_own_abort(const trapped& call)
{
    return call.argument(0) == made(SYS_getpid) && call.argument(1) == made(SYS_gettid) &&
           call.argument(2) == SIGABRT;
}

bool is_of_abort(const trapped& call)
{
    return call.argument(0) == SIGABRT;
}

struct passing {
    long number;
    bool (*passes)(const trapped&);
};

constexpr passing calls_that_pass[] = {
    // malloc() and free(), which a service may call.
    {SYS_brk, always},
    {SYS_mmap, is_plain_memory}, // no file, nothing to execute
    {SYS_munmap, always},
    {SYS_mremap, always},
    {SYS_madvise, always},
    {SYS_getrandom, always},         // keys of its lists; std::random_device
    {SYS_sched_getaffinity, always}, // how many arenas are worth it
    // Locks, and the initialisation of static variables; what spins for one.
    {SYS_futex, always},
    {SYS_sched_yield, always},
    // The time, where the system does not tell it by the vDSO.
    {SYS_clock_gettime, always},
    {SYS_gettimeofday, always},
    {SYS_time, always},
    // abort(), so that a failure can end what failed.
    {SYS_getpid, always},
    {SYS_gettid, always},
    {SYS_tgkill, is_own_abort},
    {SYS_rt_sigaction, is_of_abort}, // when a handler of SIGABRT returned
    // Sanitizers, as an exception is thrown.
    {SYS_sigaltstack, asks_only},
};

bool passes(const trapped& call)
{
    for (const passing& one : calls_that_pass)
        if (one.number == call.number())
            return one.passes(call);
    return false;
}

// rt_sigprocmask(2), which abort() and siglongjmp(3) call: made in here it would last as long as the handler. SIGSYS stays
// as it is: a call that traps while that is blocked ends the program.
long change_mask(const trapped& call) noexcept
{
    const auto* wanted = reinterpret_cast<const unsigned long*>(call.argument(1));
    auto* before = reinterpret_cast<unsigned long*>(call.argument(2));
    if (static_cast<std::size_t>(call.argument(3)) != mask_bytes)
        return -EINVAL;
    unsigned long& mask = call.mask();
    const unsigned long was = mask;
    if (wanted) {
        const unsigned long which = *wanted & ~(1UL << (SIGSYS - 1));
        switch (call.argument(0)) {
        case SIG_BLOCK:
            mask |= which;
            break;
        case SIG_UNBLOCK:
            mask &= ~which;
            break;
        case SIG_SETMASK:
            mask = which;
            break;
        default:
            return -EINVAL;
        }
    }
    if (before)
        *before = was;
    return 0;
}

// --- the handler ------------------------------------------------------------------------------------

thread_local watcher watching;

// As the system has it; the C library's would return through its own instructions, and be trapped.
struct action {
    std::uintptr_t handler;
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

action before; // whose SIGSYS was

// Not of a gate: whoever had the signal gets it, or the program ends by it.
void pass_on(int signal, siginfo_t* info, void* context)
{
    if (before.flags & SA_SIGINFO)
        return reinterpret_cast<void (*)(int, siginfo_t*, void*)>(before.handler)(signal, info,
                                                                                  context);
    const auto plain = reinterpret_cast<void (*)(int)>(before.handler);
    if (plain != SIG_DFL && plain != SIG_IGN)
        return plain(signal);
    const action none{};
    made(SYS_rt_sigaction, SIGSYS, reinterpret_cast<long>(&none), 0, mask_bytes);
    made(SYS_tgkill, made(SYS_getpid), made(SYS_gettid), SIGSYS);
}

void on_trap(int signal, siginfo_t* info, void* context)
{
    if (info->si_code != user_dispatch)
        return pass_on(signal, info, context);
    if (watching.reopen)
        watching.reopen(watching.argument);
    const trapped call(context);
    const bool ours = info->si_arch == x86_64;
    if (ours && call.number() == SYS_rt_sigreturn)
        return call.go_on_at(resume);
    if (ours && call.number() == SYS_rt_sigprocmask)
        return call.answer(change_mask(call));
    if (ours && passes(call))
        return call.make();
    pass through; // a sanitizer makes calls of its own in what is done now
    watching.refuse(watching.self, {ours ? info->si_syscall : -1,
                                    reinterpret_cast<std::uintptr_t>(info->si_call_addr)});
    call.answer(-EPERM);
}

// Not on the alternate stack: an exception unwinds from here, and what it needs may be more than that has. Not
// blocked meanwhile: the handler may leave by an exception, and what it calls may be trapped.
void install()
{
    static std::once_flag installed;
    std::call_once(installed, [] {
        const action wanted{reinterpret_cast<std::uintptr_t>(on_trap),
                            SA_SIGINFO | SA_NODEFER | with_restorer, resume, 0};
        made(SYS_rt_sigaction, SIGSYS, reinterpret_cast<long>(&wanted),
             reinterpret_cast<long>(&before), mask_bytes);
    });
}

int turn_on() noexcept
{
    return static_cast<int>(gate::made(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
                                       reinterpret_cast<long>(first), last - first,
                                       reinterpret_cast<long>(&selector), 0));
}

void turn_off() noexcept
{
    made(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF);
}

void check(int result)
{
    if (result < 0) // an unknown option of prctl(2) is EINVAL
        throw error(result == -EINVAL ? ENOSYS : -result,
                    "the system-call gate needs Syscall User Dispatch (Linux 5.11)");
}

} // namespace

void require()
{
    if (made(SYS_getpid) != made(SYS_gettid))
        throw error(EINVAL, "the system-call gate is for a program's first thread");
    check(turn_on());
    turn_off();
}

watch::watch(const watcher& whose)
{
    require();
    open();
    watching = whose;
    install();
    check(turn_on());
}

watch::~watch()
{
    turn_off();
    open();
}

} // namespace vk::gate

#else

namespace vk::gate {

void require()
{
    throw error(ENOSYS, "the system-call gate is for Linux on x86-64");
}
watch::watch(const watcher&)
{
    require();
}
watch::~watch() = default;

} // namespace vk::gate

#endif
