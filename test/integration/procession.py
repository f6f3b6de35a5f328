"""100,000 connections, one after another: fds, memory and heap pages stay as they were."""

import tempfile
import time

from client import Client
from server import KIB, ServerCase, is_sanitized, main

CONNECTIONS = 100_000


class Procession(ServerCase):
    limit_s = 400

    def warm_up(self, server):
        """Have it keep the memory of as many connections as there may be when it falls behind its clients for a while."""
        for client in [self.connect(server) for _ in range(32)]:
            client.exchange(b"hello\n")
            client.close()

    def pass_by(self, server, number):
        """A connection of one of several kinds. Different addresses, so that the ports last."""
        client = Client(server.address, source=f"127.0.0.{2 + number % 16}")
        kind = number % 8
        if kind == 0:
            client.close()
        elif kind == 1:
            client.send(b"half a li")
            client.reset()
        elif kind == 2:
            client.send(b"two\nlines\n")
            client.reset()
        elif kind == 3:
            client.exchange(b"x" * 20_000 + b"\n")  # more than a block: pages of the heap
            client.close()
        else:
            client.exchange(b"hello\n")
            client.finish()
            client.read_to_end()
            client.close()

    def test_100_000_connections_leave_nothing_behind(self):
        server = self.serve()
        self.warm_up(server)
        for number in range(1000):
            self.pass_by(server, number)
        with self.connect(server) as client:
            client.exchange(b"hello\n")
            fds = server.fds()
            before = server.resident_bytes()
        begun = time.monotonic()
        for number in range(CONNECTIONS):
            self.pass_by(server, number)
        span = time.monotonic() - begun
        with self.connect(server) as client:
            client.exchange(b"hello\n")
            server.has_fds(fds)
        grown = server.resident_bytes() - before
        count = server.stop()
        print(f"{CONNECTIONS / span:.0f} connections/s; {grown // KIB} KiB more, "
              f"{count['heap_pages_high_water']} heap pages at most")
        self.assertEqual(count["accepts"], CONNECTIONS + 1034)
        self.assertEqual(count["processes_started"], count["processes_ended"] + 1)
        self.assertEqual(count["heap_overflows"], 0)
        self.assertEqual(count["accept_errors"], 0)
        self.assertLessEqual(count["heap_pages_high_water"], 25)
        if not is_sanitized():
            self.assertLess(grown, 256 * KIB)

    def test_10_000_connections_over_a_unix_socket_leave_nothing_behind(self):
        room = tempfile.TemporaryDirectory(prefix="vk-unix-")
        self.addCleanup(room.cleanup)
        server = self.serve(listen=[f"unix:{room.name}/echo.sock"])
        fds = server.fds()
        self.warm_up(server)
        server.has_fds(fds)
        before = server.resident_bytes()
        for _ in range(10_000):
            with server.connect() as client:
                client.exchange(b"hello\n")
        server.has_fds(fds)
        if not is_sanitized():
            self.assertLess(server.resident_bytes() - before, 256 * KIB)
        self.assertEqual(server.stop()["accepts"], 10_032)


if __name__ == "__main__":
    main()
