#include "vk/base/call_name.hpp"

#include <fmt/format.h>

#if defined(__linux__) && defined(__x86_64__)
#include <asm/unistd.h>
#endif

namespace vk {
namespace {

struct entry {
    int number;
    const char* name;
};

// Those that a program makes knowingly, or that its C library makes for it.
// clang-format off
constexpr entry calls[] = {
#if defined(__linux__) && defined(__x86_64__)
#define VK_CALL(name) {__NR_##name, #name}
    VK_CALL(read), VK_CALL(write), VK_CALL(close), VK_CALL(stat), VK_CALL(fstat), VK_CALL(lstat),
    VK_CALL(lseek), VK_CALL(mmap), VK_CALL(mprotect), VK_CALL(munmap), VK_CALL(brk),
    VK_CALL(rt_sigaction), VK_CALL(rt_sigprocmask), VK_CALL(rt_sigreturn), VK_CALL(ioctl),
    VK_CALL(pread64), VK_CALL(pwrite64), VK_CALL(readv), VK_CALL(writev), VK_CALL(sched_yield),
    VK_CALL(mremap), VK_CALL(msync), VK_CALL(mincore), VK_CALL(madvise), VK_CALL(shmget),
    VK_CALL(shmat), VK_CALL(dup), VK_CALL(nanosleep), VK_CALL(getitimer), VK_CALL(setitimer),
    VK_CALL(getpid), VK_CALL(sendfile), VK_CALL(socket), VK_CALL(connect), VK_CALL(accept),
    VK_CALL(sendto), VK_CALL(recvfrom), VK_CALL(sendmsg), VK_CALL(recvmsg), VK_CALL(shutdown),
    VK_CALL(bind), VK_CALL(listen), VK_CALL(getsockname), VK_CALL(getpeername), VK_CALL(socketpair),
    VK_CALL(setsockopt), VK_CALL(getsockopt), VK_CALL(clone), VK_CALL(execve), VK_CALL(exit),
    VK_CALL(wait4), VK_CALL(kill), VK_CALL(uname), VK_CALL(fcntl), VK_CALL(flock), VK_CALL(fsync),
    VK_CALL(fdatasync), VK_CALL(truncate), VK_CALL(ftruncate), VK_CALL(getcwd), VK_CALL(chdir),
    VK_CALL(fchdir), VK_CALL(fchmod), VK_CALL(fchown), VK_CALL(umask), VK_CALL(gettimeofday),
    VK_CALL(getrlimit), VK_CALL(getrusage), VK_CALL(sysinfo), VK_CALL(times), VK_CALL(ptrace),
    VK_CALL(getuid), VK_CALL(syslog), VK_CALL(getgid), VK_CALL(setuid), VK_CALL(setgid),
    VK_CALL(geteuid), VK_CALL(getegid), VK_CALL(setpgid), VK_CALL(getppid), VK_CALL(setsid),
    VK_CALL(getpgid), VK_CALL(rt_sigpending), VK_CALL(rt_sigtimedwait), VK_CALL(rt_sigqueueinfo),
    VK_CALL(rt_sigsuspend), VK_CALL(sigaltstack), VK_CALL(statfs), VK_CALL(fstatfs),
    VK_CALL(getpriority), VK_CALL(setpriority), VK_CALL(sched_setparam),
    VK_CALL(sched_setscheduler), VK_CALL(mlock), VK_CALL(munlock), VK_CALL(mlockall),
    VK_CALL(munlockall), VK_CALL(prctl), VK_CALL(setrlimit), VK_CALL(chroot), VK_CALL(sync),
    VK_CALL(mount), VK_CALL(umount2), VK_CALL(gettid), VK_CALL(readahead), VK_CALL(tkill),
    VK_CALL(futex), VK_CALL(sched_setaffinity), VK_CALL(sched_getaffinity), VK_CALL(io_setup),
    VK_CALL(io_destroy), VK_CALL(io_getevents), VK_CALL(io_submit), VK_CALL(io_cancel),
    VK_CALL(getdents64), VK_CALL(set_tid_address), VK_CALL(restart_syscall), VK_CALL(fadvise64),
    VK_CALL(timer_create), VK_CALL(timer_settime), VK_CALL(clock_settime), VK_CALL(clock_gettime),
    VK_CALL(clock_getres), VK_CALL(clock_nanosleep), VK_CALL(exit_group), VK_CALL(epoll_ctl),
    VK_CALL(tgkill), VK_CALL(waitid), VK_CALL(openat), VK_CALL(mkdirat), VK_CALL(newfstatat),
    VK_CALL(unlinkat), VK_CALL(renameat), VK_CALL(linkat), VK_CALL(symlinkat), VK_CALL(readlinkat),
    VK_CALL(fchmodat), VK_CALL(faccessat), VK_CALL(pselect6), VK_CALL(ppoll),
    VK_CALL(set_robust_list), VK_CALL(splice), VK_CALL(tee), VK_CALL(sync_file_range),
    VK_CALL(vmsplice), VK_CALL(utimensat), VK_CALL(epoll_pwait), VK_CALL(timerfd_create),
    VK_CALL(fallocate), VK_CALL(timerfd_settime), VK_CALL(accept4), VK_CALL(signalfd4),
    VK_CALL(eventfd2), VK_CALL(epoll_create1), VK_CALL(dup3), VK_CALL(pipe2),
    VK_CALL(inotify_init1), VK_CALL(preadv), VK_CALL(pwritev), VK_CALL(rt_tgsigqueueinfo),
    VK_CALL(perf_event_open), VK_CALL(recvmmsg), VK_CALL(prlimit64), VK_CALL(syncfs),
    VK_CALL(sendmmsg), VK_CALL(process_vm_readv), VK_CALL(process_vm_writev), VK_CALL(renameat2),
    VK_CALL(seccomp), VK_CALL(getrandom), VK_CALL(memfd_create), VK_CALL(bpf), VK_CALL(execveat),
    VK_CALL(userfaultfd), VK_CALL(membarrier), VK_CALL(copy_file_range), VK_CALL(preadv2),
    VK_CALL(pwritev2), VK_CALL(pkey_mprotect), VK_CALL(pkey_alloc), VK_CALL(pkey_free),
    VK_CALL(statx), VK_CALL(rseq), VK_CALL(pidfd_send_signal), VK_CALL(io_uring_setup),
    VK_CALL(io_uring_enter), VK_CALL(io_uring_register), VK_CALL(pidfd_open), VK_CALL(clone3),
    VK_CALL(close_range), VK_CALL(openat2), VK_CALL(pidfd_getfd), VK_CALL(faccessat2),
    VK_CALL(process_madvise), VK_CALL(epoll_pwait2), VK_CALL(open), VK_CALL(poll), VK_CALL(access),
    VK_CALL(pipe), VK_CALL(select), VK_CALL(dup2), VK_CALL(pause), VK_CALL(alarm), VK_CALL(fork),
    VK_CALL(vfork), VK_CALL(getdents), VK_CALL(rename), VK_CALL(mkdir), VK_CALL(rmdir),
    VK_CALL(creat), VK_CALL(link), VK_CALL(unlink), VK_CALL(symlink), VK_CALL(readlink),
    VK_CALL(chmod), VK_CALL(chown), VK_CALL(getpgrp), VK_CALL(mknod), VK_CALL(arch_prctl),
    VK_CALL(time), VK_CALL(epoll_create), VK_CALL(epoll_wait), VK_CALL(signalfd), VK_CALL(eventfd),
#undef VK_CALL
#endif
    {-1, ""},
};
// clang-format on

} // namespace

const char* call_name(int number) noexcept
{
    for (const entry& one : calls)
        if (one.number == number)
            return one.name;
    return "";
}

std::string text_of_call(int number)
{
    const char* name = call_name(number);
    return *name ? fmt::format("{}(2)", name) : fmt::format("system call {}", number);
}

} // namespace vk
