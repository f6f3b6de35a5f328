"""The system calls of the steady state, by --stats: deductions, not attempts.

Two runs that differ by nothing but the lines exchanged tell what the lines cost: starting,
connecting and ending cost the same in both.
"""

import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from server import POLLER, ServerCase, is_sanitized, main, wait_until

CLIENTS = 64


def may_trace():
    """Whether strace is there and allowed to trace."""
    if not shutil.which("strace"):
        return False
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    return tried.returncode == 0


class CountingCase(ServerCase):
    def exchange(self, server, rounds, lines):
        """Have each client send `lines` lines at once and read the answers, `rounds` times."""
        # The first lines are there before the server looks, and it had looked at its listener before: all runs begin
        # with the same calls.
        self.rest(server)
        server.send_signal(signal.SIGSTOP)
        wait_until(lambda: server.status()["State"][0] in "Tt", what="the stop")
        clients = [self.connect(server) for _ in range(CLIENTS)]
        for client in clients:
            client.send(b"hello\n")
        server.send_signal(signal.SIGCONT)
        for client in clients:
            client.read()
        for _ in range(rounds):
            for client in clients:
                client.send(b"%063d\n" % 0 * lines)
            for client in clients:
                client.read()
        for client in clients:
            client.finish()
            client.read_to_end()


class Counting(CountingCase):
    def run_with(self, rounds, lines, *options):
        server = self.serve(*options)
        self.exchange(server, rounds, lines)
        return server.stop()

    def cost(self, lines, *options, rounds=100):
        """What `rounds` rounds of `lines` lines cost, for all clients together."""
        few = self.run_with(10, lines, *options)
        many = self.run_with(10 + rounds, lines, *options)
        return {name: many[name] - few[name] for name in many}

    @unittest.skipIf(POLLER == "uring", "it reads and writes within the wait: see uring.py")
    def test_one_line_in_flight_is_one_read_and_one_write(self):
        cost = self.cost(lines=1)
        lines = 100 * CLIENTS
        print(f"{cost['reads'] / lines:.4f} reads, {cost['writes'] / lines:.4f} writes, "
              f"{cost['waits'] / lines:.4f} waits, {cost['eagain'] / lines:.4f} EAGAIN a line")
        self.assertEqual(cost["bytes_in"], 64 * lines)
        self.assertGreaterEqual(cost["reads"], lines)
        self.assertLessEqual(cost["reads"] + cost["writes"], 2.02 * lines)
        self.assertLessEqual(cost["eagain"], lines / 10_000)

    def test_sixteen_lines_in_flight_are_one_read_and_one_write(self):
        cost = self.cost(lines=16)
        batches = 100 * CLIENTS
        print(f"{cost['reads'] / batches:.4f} reads, {cost['writes'] / batches:.4f} writes, "
              f"{cost['eagain'] / batches:.4f} EAGAIN for 16 lines")
        self.assertEqual(cost["bytes_in"], 16 * 64 * batches)
        self.assertLessEqual(cost["reads"], 1.01 * batches)
        self.assertLessEqual(cost["writes"], 1.01 * batches)
        self.assertLessEqual(cost["eagain"], batches / 10_000)

    @unittest.skipIf(POLLER != "epoll", "the others are told at each block")
    def test_each_connection_is_registered_once(self):
        count = self.run_with(20, 1)
        listener_and_signals = 2
        self.assertEqual(count["registrations"], CLIENTS + listener_and_signals)

    @unittest.skipIf(POLLER != "epoll", "the others are told at each block")
    def test_a_blocked_writer_is_not_registered_again(self):
        server = self.serve()
        for _ in range(4):
            client = self.connect(server, receive_buffer=4096)
            client.exchange(b"hello\n")
            client.send_what_fits(b"x" * 99 + b"\n", patience=0.1)
            client.finish()
            client.read_to_end()
        self.assertEqual(server.stop()["registrations"], 4 + 2)

    def test_a_whole_connection_is_four_reads_and_writes_at_most(self):
        # The line, its answer, the end; EAGAIN at its begin at worst.
        server = self.serve()
        for _ in range(200):
            with server.connect() as client:
                client.send(b"hello\n")
                client.finish()
                client.read_to_end()
        count = server.stop()
        self.assertEqual(count["accepts"], 200)
        self.assertLessEqual(count["reads"] + count["writes"], 4 * 200)
        self.assertEqual(count["bytes_out"], 200 * len("Line 0: hello\n"))

    def test_processes_and_bytes_are_all_accounted_for(self):
        server = self.serve()
        self.exchange(server, 5, 3)
        wait_until(lambda: server.fds() < CLIENTS, what="the end of the connections")
        count = server.stop()
        lines = 1 + 5 * 3
        self.assertEqual(count["accepts"], CLIENTS)
        self.assertEqual(count["processes_started"], CLIENTS + 2)
        self.assertEqual(count["processes_ended"], CLIENTS + 1)  # all but the one for signals
        self.assertEqual(count["processes_failed"], 0)
        self.assertEqual(count["faults"], 0)
        self.assertEqual(count["accept_errors"], 0)
        self.assertEqual(count["bytes_in"], CLIENTS * (len("hello\n") + 15 * 64))
        self.assertEqual(count["bytes_out"], count["bytes_in"] +
                         CLIENTS * sum(len(f"Line {number}: ") for number in range(lines)))

    def test_an_idle_server_makes_no_calls(self):
        def waits(span):
            server = self.serve()
            clients = [self.connect(server) for _ in range(4)]
            for client in clients:
                client.exchange(b"hello\n")
            time.sleep(span)
            for client in clients:
                client.exchange(b"hello\n")
            return server.stop()["waits"]

        self.assertLess(waits(1), waits(0) + 20)


@unittest.skipUnless(may_trace(), "strace is not installed, or not allowed to trace")
class Traced(CountingCase):
    def setUp(self):
        super().setUp()
        if is_sanitized():
            self.skipTest("a sanitizer cannot look for leaks while it is traced")

    def calls_of(self, rounds, lines):
        """The calls of a run as its counters and as strace -c say."""
        with tempfile.TemporaryDirectory(prefix="vk-strace-") as room:
            summary = Path(room, "summary")
            # -DDD: the server remains our child, alone in its session.
            server = self.serve(wrapper=["strace", "-DDD", "-c", "-o", summary])
            self.exchange(server, rounds, lines)
            count = server.stop()
            wait_until(lambda: "total" in summary.read_text(), what="the summary of strace")
            calls = {}
            for line in summary.read_text().splitlines():
                fields = line.split()
                if len(fields) >= 5 and fields[3].isdigit():
                    calls[fields[-1]] = int(fields[3])
            return count, calls

    def test_the_counters_and_strace_agree(self):
        few, calls_few = self.calls_of(5, 4)
        many, calls_many = self.calls_of(45, 4)

        def traced(*names):
            return sum(calls_many.get(name, 0) - calls_few.get(name, 0) for name in names)

        reads = traced("read", "readv", "recvfrom", "recvmsg")
        writes = traced("write", "writev", "sendto", "sendmsg")
        waits = traced("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "io_uring_enter")
        print(f"strace: {reads} reads, {writes} writes, {waits} waits; counters: "
              f"{many['reads'] - few['reads']}, {many['writes'] - few['writes']}, "
              f"{many['waits'] - few['waits']}")
        self.assertEqual(reads, many["reads"] - few["reads"])
        self.assertEqual(writes, many["writes"] - few["writes"])
        # A wait that being stopped interrupts is made twice.
        self.assertAlmostEqual(waits, many["waits"] - few["waits"], delta=2)
        self.assertGreaterEqual(reads, 0 if POLLER == "uring" else 40 * CLIENTS)

    def test_registrations_are_calls_of_epoll_ctl(self):
        if POLLER != "epoll":
            self.skipTest("there is no epoll_ctl with this poller")
        count, calls = self.calls_of(5, 1)
        # The listener and the fd of signals, which others may have open, are taken out by a call each.
        self.assertEqual(calls["epoll_ctl"], count["registrations"] + 2)
        self.assertEqual(count["registrations"], CLIENTS + 2)


if __name__ == "__main__":
    main()
