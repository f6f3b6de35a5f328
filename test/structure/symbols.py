"""What the compiled library asks of, and shows to, the program it is linked to.

Usage: symbols.py calls NM ARCHIVE     no system call is made but by aio.cpp, gate.cpp, os.cpp, pkey.cpp and uring.cpp,
                                    which ARCHIVE lacks
       symbols.py exports NM LIBRARY   every symbol LIBRARY defines for others is in namespace vk

spdlog writes by itself: where it is its headers alone, its calls are in log.cpp, which is left out of the
first. In an archive, weak definitions are left out of the second: they are the templates and inline functions of
other libraries, which every object file that uses them repeats. A shared library shows none of those.
Prints a line for each violation; status 1 if there is any.
"""

import re
import subprocess
import sys

# The C library's names for system calls, and for functions whose work is to make one.
CALLS = set("""
    accept accept4 access bind brk chdir clone close connect creat dup dup2 dup3 epoll_create epoll_create1
    epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd execl execv execve execvp _exit _Exit fcntl flock
    fopen fork fstat ftruncate getaddrinfo getpagesize getpeername getpid getppid getrandom getrlimit getrusage
    getsockname getsockopt gettid gettimeofday io_uring_queue_exit io_uring_queue_init_params
    io_uring_register_buf_ring io_uring_submit io_uring_submit_and_get_events io_uring_submit_and_wait
    io_uring_submit_and_wait_timeout ioctl kill listen lseek lstat madvise mincore mlock mmap mprotect
    mremap msync munlock munmap nanosleep clock_nanosleep clock_gettime open openat pause pipe pipe2 pkey_alloc
    pkey_free pkey_mprotect poll ppoll posix_spawn prctl pread preadv pselect pthread_create pthread_kill
    pthread_sigmask pwrite pwritev raise read readv recv recvfrom recvmmsg recvmsg rename sched_setaffinity
    sched_yield select send sendfile sendmmsg sendmsg sendto setitimer setrlimit setsockopt shutdown sigaction
    sigaltstack signal signalfd sigprocmask sleep socket socketpair splice stat sysconf syscall tee
    timerfd_create timerfd_settime truncate unlink usleep vfork vmsplice wait wait4 waitid waitpid write writev
""".split())

# In namespace vk: functions and variables, members with qualifiers, statics in functions and their guards,
# virtual tables, type information, thunks and thread-local wrappers, as the C++ ABI spells them; and what the
# address sanitizer keeps beside a variable.
OURS = re.compile(r"(__odr_asan\.)?_Z(GV|T[IVSTHW]|T[hvc][\dn_hv]+_|GTt)?Z?N[KVRO]*2vk")

# The linker's own.
ALWAYS = {"_init", "_fini", "_edata", "_end", "__bss_start"}


def parse(listing):
    """The (kind, name) of each symbol that `nm --format=posix` lists."""
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) >= 2 and len(fields[1]) == 1:
            yield fields[1], re.sub(r"@.*", "", fields[0])


def without_log(listing):
    """The part of `listing`, of an archive, that is not about log.cpp."""
    members = re.split(r"^(?=\S*\[.*\]:$)", listing, flags=re.M)
    return "".join(member for member in members if "base_log.cpp" not in member.partition("\n")[0])


def plain(name):
    """`name` without what the C library adds for large files and checked buffers: __read_chk, mmap64."""
    return re.sub(r"^__(\w+)_chk$", r"\1", re.sub("64$", "", name))


def system_calls(listing):
    """The system calls that the object files of `listing` make."""
    return sorted({name for kind, name in parse(without_log(listing))
                   if kind in "Uw" and plain(name) in CALLS})


def foreign_exports(listing, shared):
    """The symbols in `listing` (of a shared library, or of an archive) that are not in namespace vk."""
    wanted = "ABCDGRSTVWui" if shared else "ABCDGRST"
    return sorted({name for kind, name in parse(listing)
                   if kind in wanted and not OURS.match(name) and name not in ALWAYS})


def nm(program, *arguments):
    return subprocess.run([program, "--format=posix", *arguments], check=True, capture_output=True, text=True).stdout


def main():
    check, program, library = sys.argv[1:]
    if check == "calls":
        found = [f"{name}() is called outside vk/base/aio.cpp, gate.cpp, os.cpp, pkey.cpp and uring.cpp" for name in system_calls(nm(program, "-u", library))]
    else:
        shared = ".so" in library
        listing = nm(program, "--defined-only", "-D" if shared else "-g", library)
        if not any(OURS.match(name) for _, name in parse(listing)):
            sys.exit(f"{library} shows nothing of namespace vk")
        found = [f"{name} is exported, but not in namespace vk" for name in foreign_exports(listing, shared)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
