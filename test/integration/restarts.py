"""Workers that die: each is replaced by its parent, and the port never refuses.

A connection that a worker had accepted dies with it. One that it had not waits in the backlog, which the
parent keeps, and is accepted by the next worker.
"""

import os
import resource
import signal
import tempfile
import time
from pathlib import Path

from client import open_socket
from kills import WELL_S, KillsCase, connect_over_and_over, load
from server import MIB, is_sanitized, main, wait_until


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Restarts(KillsCase):
    # --- the port

    def never_refuses(self, size, kills):
        server = self.crew(size)
        loading = self.background(load, server.address, 32)
        calling = self.background(connect_over_and_over, server.address)
        self.kill_in_turn(server, kills)
        called, loaded = calling.result(), loading.result()
        count = server.stop()
        print(f"\n    {kills} kills, workers: {size}; of connections one after another "
              f"{called['answered']} were answered, {called.get('died', 0)} died with a worker",
              flush=True)
        self.assertEqual(set(called) - {"answered", "died"}, set(), called)
        self.assertLessEqual(called.get("died", 0), kills)  # it has one at a time
        self.assertGreater(called["answered"], kills)
        self.assertEqual(loaded["refused"], 0)
        self.assertGreaterEqual(loaded["lost"], kills)  # they did die: it was under load
        self.assertGreater(loaded["lines"], 10 * kills)
        self.assertEqual(count["restarts"], kills)
        self.assertEqual(server.log().count("was ended by signal 9"), kills)

    def test_the_port_of_one_worker_never_refuses(self):
        self.never_refuses(size=1, kills=5)

    def test_the_port_of_two_workers_never_refuses_in_20_kills(self):
        self.never_refuses(size=2, kills=20)

    def waits_in_the_backlog(self, server):
        """Connections that are surely not accepted outlive the workers that did not accept them."""
        workers = server.children()
        accepted = self.connect(server)
        accepted.exchange(b"hello\n")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        waiting = [self.connect(server) for _ in range(64)]
        for client in waiting[:32]:
            client.send(b"before\n")
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        for client in waiting[32:]:
            client.send(b"after\n")
        for client in waiting:
            client.read()
            client.exchange(b"more\n")
        self.assertTrue(accepted.has_ended())
        count = server.stop()
        self.assertEqual(count["restarts"], len(workers))

    def test_what_was_not_accepted_is_accepted_by_the_next(self):
        for size in (1, 3):
            with self.subTest(size):
                self.waits_in_the_backlog(self.crew(size))

    def test_so_is_what_waits_at_a_unix_socket(self):
        with tempfile.TemporaryDirectory(prefix="vk-unix-") as room:
            for size in (1, 3):
                with self.subTest(size):
                    path = Path(room, "echo.sock")
                    self.waits_in_the_backlog(self.crew(size, listen=[f"unix:{path}"]))
                    self.assertFalse(path.exists())

    def test_a_worker_keeps_the_sockets_of_others_no_longer_than_it_starts(self):
        server = self.crew(3)
        inodes = [self.listening(pid) for pid in server.children()]
        self.assertEqual([len(each) for each in inodes], [1, 1, 1])
        self.assertEqual(len(set().union(*inodes)), 3)
        self.assertEqual(self.listening(server.pid), set().union(*inodes))
        killed = server.children()[1]
        os.kill(killed, signal.SIGKILL)
        self.replaced(server, killed)
        wait_until(lambda: sorted(map(sorted, inodes)) ==
                   sorted(sorted(self.listening(pid)) for pid in server.children()),
                   what="the same sockets")
        server.stop()

    def listening(self, pid):
        """The inodes of the listening TCP sockets that `pid` has open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {row[9] for row in rows if row[3] == "0A"}
        found = set()
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
        return found & listening

    # --- who is restarted, and how often

    def test_any_death_is_mended_and_said(self):
        # A sanitizer reports a fault: by itself, since the symbolizer that it may start outlives the worker.
        alone = ("env", f"ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}:symbolize=0")
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            with self.subTest(number.name):
                server = self.crew(1, wrapper=alone)
                pid = server.children()[0]
                client = self.connect(server)
                client.exchange(b"hello\n")
                os.kill(pid, number)
                with self.connect(server) as next_one:
                    next_one.exchange(b"hello\n")
                self.assertTrue(client.has_ended())
                count = server.stop()
                if not is_sanitized():  # which makes an exit of it
                    self.assertRegex(server.log(),
                                     rf"worker 0 \({pid}\) was ended by signal {int(number)}"
                                     rf"( \({number.name}\))?; it is restarted at once")
                self.assertRegex(server.log(), r"worker 0 serves again, as \d+, after [\d.]+ ms")
                self.assertEqual(count["restarts"], 1)

    def test_a_worker_that_dies_soon_again_waits_before_it_is_back(self):
        server = self.crew(1)
        pids = []
        for _ in range(4):
            with self.connect(server) as client:
                client.exchange(b"hello\n")  # it serves
            pids += server.children()
            os.kill(pids[-1], signal.SIGKILL)
            self.replaced(server, pids[-1])
        with self.connect(server) as client:
            client.exchange(b"hello\n")
        server.stop()
        for pid, when in zip(pids, ("at once", "in 50 ms", "in 100 ms", "in 200 ms")):
            self.assertRegex(server.log(), rf"\({pid}\) was ended by .*; it is restarted {when}\n")

    def test_what_a_killed_worker_counted_is_kept(self):
        server = self.crew(2)
        for _ in range(3):
            for _ in range(20):
                with server.connect() as client:
                    for _ in range(5):
                        client.exchange(b"123456789\n")
                    client.finish()
                    client.read_to_end()
            time.sleep(WELL_S)  # a kernel leaves its counters before it waits
            for pid in server.children():
                os.kill(pid, signal.SIGKILL)
                self.replaced(server, pid)
        count = server.stop()
        self.assertEqual(count["restarts"], 6)
        self.assertEqual(count["accepts"], 60)
        self.assertEqual(count["bytes_in"], 60 * 50)

    # --- the end

    def test_a_signal_while_a_worker_waits_to_be_restarted_ends_all(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.crew(2)
                killed = []
                for _ in range(6):  # the next one waits for long
                    wait_until(lambda: len(server.children()) == 2, what="two workers")
                    killed.append(next(pid for pid in reversed(server.children())
                                       if pid != server.children()[0]))
                    os.kill(killed[-1], signal.SIGKILL)
                    wait_until(lambda: killed[-1] not in server.children(), what="its end")
                self.assertEqual(len(server.children()), 1)
                survivor = self.connect_to_survivor(server)
                server.stop(number, within=5)
                self.assertTrue(survivor.has_ended())

    def connect_to_survivor(self, server):
        """A client of the only worker there is: others wait for the next."""
        for _ in range(200):
            client = self.connect(server, timeout=0.2)
            client.send(b"hello\n")
            try:
                client.read()
                return client
            except TimeoutError:
                continue
        raise AssertionError("nobody serves")

    def test_the_port_refuses_while_the_server_drains(self):
        for size in (1, 2):
            with self.subTest(size):
                server = self.crew(size, "--drain", "20")
                clients = [self.connect(server, receive_buffer=4096) for _ in range(16)]
                for client in clients:
                    client.send_what_fits((b"." * 150 + b"\n") * 1000, patience=0.05)
                server.send_signal(signal.SIGTERM)
                wait_until(lambda: not self.accepts(server), what="the port's end")
                self.assertTrue(server.running)
                for client in clients:
                    client.reset()
                server.ended()

    def accepts(self, server):
        try:
            open_socket(server.address).close()
            return True
        except ConnectionError:
            return False

    def test_a_worker_that_drains_alone_does_not_spin_and_is_replaced(self):
        # Its listening socket lives on in its parent, and gets connections that are for the next one.
        server = self.crew(1, "--drain", "20")
        pid = server.children()[0]
        client = self.connect(server, receive_buffer=4096)
        client.send_what_fits((b"." * 150 + b"\n") * 1000, patience=0.1)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not self.listening(pid), what="the end of its listener")
        waiting = [self.connect(server) for _ in range(8)]
        for one in waiting:
            one.send(b"hello\n")
        self.does_not_spin_itself(pid)
        client.reset()
        for one in waiting:
            one.read()
        count = server.stop()
        self.assertEqual(count["restarts"], 1)
        self.assertRegex(server.log(), rf"worker 0 \({pid}\) ended early; it is restarted at once")

    def does_not_spin_itself(self, pid, span=0.5):
        def used():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        before = used()
        time.sleep(span)
        self.assertLess(used() - before, 0.2 * span)

    def test_no_restarted_worker_outlives_a_killed_parent(self):
        server = self.crew(2)
        first = server.children()
        os.kill(first[0], signal.SIGKILL)
        self.replaced(server, first[0])
        workers = server.children()
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        wait_until(lambda: not any(map(is_alive, workers)), what="the end of the workers")
        with self.assertRaises(ConnectionRefusedError):
            open_socket(server.address)

    def test_a_worker_that_cannot_be_made_ends_the_server(self):
        if is_sanitized():
            self.skipTest("a sanitizer needs memory of its own")
        limit = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (1024 * MIB, limit[1]))
        try:
            with self.assertRaisesRegex(AssertionError, r"worker 0 \(\d+\) ended with status 1"):
                self.serve("--supervise", "--heap-pages", "100000", "--connections", "1000")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limit)

    def test_a_parent_rests_while_its_worker_serves(self):
        server = self.crew(1)
        os.kill(server.children()[0], signal.SIGKILL)
        with self.connect(server) as client:
            client.exchange(b"hello\n")
        self.does_not_spin(server)
        server.stop()


if __name__ == "__main__":
    main()
