"""--workers: OS processes that share the port, under a parent that passes signals on."""

import os
import signal
import tempfile
import time
from pathlib import Path

from client import Client
from server import KIB, ServerCase, main, wait_until

AGAIN_S = 0.7  # after which a signal is a second one, not the first one heard twice
UNREAD = (b"." * 150 + b"\n") * 1000


class Workers(ServerCase):
    def crew(self, *options, size=2, **how):
        """A server whose workers have been found."""
        server = self.serve("--workers", str(size), *options, **how)
        self.workers = server.children()
        self.assertEqual(len(self.workers), size)
        return server

    def open_fds(self):
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers]

    def test_both_serve(self):
        server = self.crew()
        before = self.open_fds()
        clients = [self.connect(server) for _ in range(64)]
        for client in clients:
            client.exchange(b"hello\n")
        served = [now - then for now, then in zip(self.open_fds(), before)]
        self.assertEqual(sum(served), len(clients))
        self.assertGreater(min(served), 0, f"connections of each worker: {served}")
        server.stop()

    def test_both_serve_a_unix_socket(self):
        with tempfile.TemporaryDirectory(prefix="vk-unix-") as room:
            path = Path(room, "echo.sock")
            server = self.crew(listen=[f"unix:{path}"])
            for client in [self.connect(server) for _ in range(64)]:
                client.exchange(b"hello\n")
            count = server.stop()
            self.assertEqual(count["accepts"], 64)
            self.assertFalse(path.exists())

    def test_the_counters_are_the_sum(self):
        server = self.crew(size=3)
        for number in range(48):
            with server.connect() as client:
                for _ in range(number):
                    client.exchange(b"123456789\n")
        count = server.stop()
        self.assertEqual(count["accepts"], 48)
        self.assertEqual(count["bytes_in"], 10 * sum(range(48)))

    def test_each_signal_ends_all(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.crew()
                clients = [self.connect(server) for _ in range(16)]
                for client in clients:
                    client.exchange(b"hello\n")
                server.stop(number, within=3)
                for client in clients:
                    client.read_to_end()

    def test_a_signal_to_the_whole_group_is_one_signal(self):
        # As a terminal sends ^C, and a service manager SIGTERM: to the parent and to the workers.
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.crew("--drain", "30")
                client = self.connect(server, receive_buffer=4 * KIB)
                client.send_what_fits(UNREAD, patience=0.1)
                os.killpg(server.pid, number)
                time.sleep(AGAIN_S)
                self.assertTrue(server.running, "the drain was cut short")
                server.send_signal(number)
                server.ended(within=3)

    def test_a_second_signal_ends_all_at_once(self):
        server = self.crew("--drain", "30")
        client = self.connect(server, receive_buffer=4 * KIB)
        client.send_what_fits(UNREAD, patience=0.1)
        server.send_signal(signal.SIGTERM)
        time.sleep(AGAIN_S)
        self.assertTrue(server.running)
        server.stop(within=3)

    def test_a_killed_worker_is_replaced_and_the_others_go_on(self):
        server = self.crew(size=3)
        before = self.open_fds()
        clients = [self.connect(server) for _ in range(64)]
        for client in clients:
            client.exchange(b"hello\n")
        killed = self.workers[1]
        lost = self.open_fds()[1] - before[1]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in server.children() and len(server.children()) == 3,
                   what="another worker")
        self.assertEqual(set(self.workers) - set(server.children()), {killed})
        ended = 0
        for client in clients:
            try:
                client.exchange(b"still there\n")
            except (ConnectionError, EOFError):
                ended += 1
        self.assertEqual(ended, lost, "clients of other workers ended")
        for client in [self.connect(server) for _ in range(32)]:
            client.exchange(b"hello\n")
        server.stop()
        lines = [line for line in server.log().splitlines() if " error " in line]
        self.assertEqual(len(lines), 1, server.log())
        self.assertRegex(lines[0], rf"worker 1 \({killed}\) was ended by signal 9; "
                                   "it is restarted at once")

    def test_a_worker_that_is_asked_to_end_alone_is_replaced(self):
        server = self.crew()
        os.kill(self.workers[0], signal.SIGTERM)
        wait_until(lambda: self.workers[0] not in server.children() and
                   len(server.children()) == 2, what="another worker")
        count = server.stop()
        self.assertRegex(server.log(), rf"worker 0 \({self.workers[0]}\) ended early")
        self.assertEqual(count["restarts"], 1)

    def test_no_worker_outlives_a_killed_parent(self):
        server = self.crew()
        os.kill(server.pid, signal.SIGKILL)
        server.wait()

        def runs(pid):
            try:
                return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
            except FileNotFoundError:
                return False

        wait_until(lambda: not any(map(runs, self.workers)), what="the end of the workers")

    def test_the_parent_does_nothing_while_they_serve(self):
        server = self.crew()
        with self.connect(server) as client:
            before = server.cpu_seconds()
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:
                client.exchange(b"hello\n")
            self.assertLess(server.cpu_seconds() - before, 0.05)
        self.does_not_spin(server)
        server.stop()

    def test_the_port_is_open_only_when_all_are_ready(self):
        server = self.crew(size=4)
        for _ in range(200):
            with Client(server.address) as client:
                client.exchange(b"hello\n")
        server.stop()

    def test_a_port_is_not_shared_with_a_stranger(self):
        server = self.crew()
        with self.assertRaisesRegex(AssertionError, "error: listen on"):
            self.serve(listen=[server.address])
        server.stop()


if __name__ == "__main__":
    main()
