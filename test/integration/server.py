"""A vk-echo under test: started, watched through /proc, ended.

A test program takes the path of vk-echo as its first argument; VK_ISOLATION (none, process, full),
VK_POLLER and VK_SYSCALL_GATE (off, raise, end) in the environment say how every server of it runs.
Each server gets a session of its own, listens on a free port of the loopback, and is ended with its
test; each test is bounded in time.

    class Lines(ServerCase):
        def test_a_line_comes_back(self):
            server = self.serve()
            with server.connect() as client:
                client.exchange(b"hello\\n")
            server.stop()

stop() is part of every test: it checks that the server ends as it should and leaves no process
behind, and returns its counters.
"""

import ctypes
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from client import Client

ISOLATION = os.environ.get("VK_ISOLATION") or "none"
POLLER = os.environ.get("VK_POLLER") or "epoll"
GATE = os.environ.get("VK_SYSCALL_GATE")  # none: the option is not given
PROGRAM = None  # the path of vk-echo

KIB = 1024
MIB = 1024 * KIB

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _prepare(nofile):
    """What the child does before it becomes a server: it will die with the test.

    It may have `nofile` fds. A server raises its soft limit to the hard one, so that both are set.
    """

    def prepare():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if nofile:
            resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

    return prepare


def is_sanitized():
    """Whether vk-echo was built with a sanitizer, which needs memory and time of its own."""
    return b"__asan_init" in Path(PROGRAM).read_bytes()


def wait_until(true, within=10, what="it"):
    """Wait until true() is, and return what it said; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        said = true()
        if said:
            return said
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within} s")
        time.sleep(0.005)


class Server:
    def __init__(self, *options, listen=("127.0.0.1:0",), nofile=None, wrapper=(), pass_fds=()):
        self._room = tempfile.TemporaryDirectory(prefix="vk-echo-")
        self._stats = Path(self._room.name, "stats.json")
        self._log = Path(self._room.name, "log")
        command = [*wrapper, PROGRAM, "--isolation", ISOLATION, "--poller", POLLER,
                   "--stats", self._stats]
        if GATE:
            command += ["--syscall-gate", GATE]
        for address in listen:
            command += ["--listen", address]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, pass_fds=pass_fds, preexec_fn=_prepare(nofile))
        self.pid = self._process.pid
        self.addresses = []
        try:
            self._read_addresses(len(listen))
        except BaseException:
            self.kill()
            raise

    def _read_addresses(self, count):
        deadline = time.monotonic() + 20
        said = b""
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while said.count(b"\n") < count:
                if not ready.select(deadline - time.monotonic()):
                    raise AssertionError(f"the server does not say that it listens: {said}")
                some = os.read(self._process.stdout.fileno(), 4096)
                if not some:
                    raise AssertionError(f"the server ended at once: {self.log()}")
                said += some
        for line in said.decode().splitlines():
            before, _, address = line.partition("listening on ")
            if before or not address:
                raise AssertionError(f"not 'listening on ADDRESS': {line}")
            self.addresses.append(address)

    @property
    def address(self):
        return self.addresses[0]

    def connect(self, **how):
        """A client of the first address."""
        return Client(self.address, **how)

    def log(self):
        """All that the server has written to stderr."""
        return self._log.read_text()

    # --- its end

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, within=20):
        """Wait for its end and return the status, negative for a signal."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end in {within} s\n{self.log()}") from None

    def stop(self, number=signal.SIGTERM, within=20):
        """Ask it to end; check that it does, with status 0. Returns the counters."""
        self.send_signal(number)
        return self.ended(within=within)

    def ended(self, status=0, within=20):
        """Check that it ends with `status`, leaving nothing behind. Returns the counters."""
        found = self.wait(within)
        if found != status:
            raise AssertionError(f"it ended with status {found}, not {status}\n{self.log()}")
        self._nothing_is_left()
        return self.counters()

    def _nothing_is_left(self):
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return
        raise AssertionError("the server left a process behind")

    def counters(self):
        """The counters of a server that has ended. No call of its own was refused (VK_SYSCALL_GATE)."""
        count = json.loads(self._stats.read_text())
        if count["refused_calls"]:
            raise AssertionError(f"{count['refused_calls']} system calls were refused\n{self.log()}")
        return count

    @property
    def running(self):
        return self._process.returncode is None and self._process.poll() is None

    def kill(self):
        """End it whatever its state, and tidy up. Returns whether that was needed."""
        running = self.running
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process.stdout.close()
        if running:
            sys.stderr.write(f"--- the server's log\n{self.log()}---\n")
        self._room.cleanup()
        return running

    # --- what /proc says

    def status(self):
        """/proc/PID/status as a dictionary."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def resident_bytes(self):
        """The physical memory that is mapped by it, page tables and kernel memory not counted."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * KIB
        raise AssertionError("smaps_rollup has no Rss")

    def fds(self):
        """How many file descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        """The processor time it has used, in user mode and in the system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def children(self):
        """The pids of its workers."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    def has_fds(self, count):
        """Wait until it has `count` file descriptors open."""
        wait_until(lambda: self.fds() == count, what=f"{count} open fds (now {self.fds()})")


class ServerCase(unittest.TestCase):
    """A test case whose servers end with the test, and whose tests end in time."""

    limit_s = 60

    def setUp(self):
        def overdue(*_):
            raise TimeoutError(f"the test takes longer than {self.limit_s} s")

        before = signal.signal(signal.SIGALRM, overdue)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, self.limit_s, 10)  # again, if tidying up hangs too
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def serve(self, *options, **how):
        """Start a server."""
        server = Server(*options, **how)
        self.addCleanup(server.kill)
        return server

    def connect(self, server, **how):
        """A client of `server` that is closed with the test."""
        client = server.connect(**how)
        self.addCleanup(client.close)
        return client

    def does_not_spin(self, server, span=0.5):
        """Check that the server, left alone, does next to nothing."""
        before = server.cpu_seconds()
        time.sleep(span)
        used = server.cpu_seconds() - before
        self.assertLess(used, 0.2 * span, f"{used:.2f} s of processor time in {span} s")

    def rest(self, server):
        """Wait until the server waits."""
        wait_until(lambda: server.status()["State"].startswith("S"), what="rest")

    def comes_to_rest(self, server, within=20):
        """Check that the server, once it has done what it can, does next to nothing."""
        span = 0.3

        def rests():
            before = server.cpu_seconds()
            time.sleep(span)
            return server.cpu_seconds() - before < 0.2 * span

        wait_until(rests, within, "rest")

    def needs_fds(self, count):
        """Have this program, and the servers it starts, be allowed `count` file descriptors."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= count:
            return
        if hard != resource.RLIM_INFINITY and hard < count:
            self.skipTest(f"{count} file descriptors are needed, {hard} allowed (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def main():
    """Run the tests of the calling program.

    Ends with status 77, which Meson calls skipped, when none of them could run.
    """
    global PROGRAM
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: {sys.argv[0]} VK-ECHO [NAME-OF-TEST...]")
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    if GATE and is_sanitized():
        print("skipped: the gate would refuse the calls that a sanitizer makes by itself")
        sys.exit(77)
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
