"""10,000 connections at once: served, cheap while idle, and gone without a trace.

With the poll driver, whose every wait looks at all of them, there are 2,000.
"""

import time

from client import Client
from server import KIB, MIB, POLLER, ServerCase, is_sanitized, main

CROWD = 2_000 if POLLER == "poll" else 10_000
IDLE_BYTES_MAX = 8 * KIB  # resident, for each


class Crowd(ServerCase):
    limit_s = 100

    def gather(self, server):
        """A crowd, each of which has exchanged a line and is idle."""
        crowd = []

        def leave():
            for client in crowd:
                client.reset()  # no port is kept waiting for late segments

        self.addCleanup(leave)
        for _ in range(CROWD):
            crowd.append(Client(server.address, timeout=30))
        self.say_hello(crowd)
        return crowd

    def say_hello(self, crowd):
        for client in crowd:
            client.send(b"hello from one of many\n")
        for client in crowd:
            client.read()

    def setUp(self):
        super().setUp()
        self.needs_fds(CROWD + 200)
        self.server = self.serve(nofile=CROWD + 200)
        with self.server.connect() as client:
            client.exchange(b"the code is in memory now\n")
            with_one = self.server.fds()
        self.server.has_fds(with_one - 1)

    def test_all_exchange_lines(self):
        crowd = self.gather(self.server)
        self.assertGreater(self.server.fds(), CROWD)
        for _ in range(3):
            self.say_hello(crowd)
        for client in crowd[::2]:
            client.finish()
        for client in crowd[::2]:
            client.read_to_end()
        self.say_hello(crowd[1::2])
        count = self.server.stop()
        self.assertEqual(count["accepts"], CROWD + 1)
        self.assertEqual(count["processes_failed"], 0)
        for client in crowd[1::2]:
            client.read_to_end()

    def test_idle_they_take_at_most_8_kib_each(self):
        before = self.server.resident_bytes()
        crowd = self.gather(self.server)
        each = (self.server.resident_bytes() - before) / CROWD
        print(f"{each / KIB:.2f} KiB of resident memory for each of {CROWD} idle connections, "
              f"beside {before / MIB:.1f} MiB without any")
        if not is_sanitized():
            self.assertLessEqual(each, IDLE_BYTES_MAX)
        self.say_hello(crowd)
        after = (self.server.resident_bytes() - before) / CROWD
        print(f"{after / KIB:.2f} KiB after one more line of each")
        if not is_sanitized():
            self.assertLessEqual(after, IDLE_BYTES_MAX)
        self.server.stop()

    def test_what_they_took_is_given_back(self):
        fds = self.server.fds()
        before = self.server.resident_bytes()
        crowd = self.gather(self.server)
        for client in crowd:
            client.finish()
        for client in crowd:
            client.read_to_end()
        self.server.has_fds(fds)
        kept = self.server.resident_bytes() - before
        print(f"{kept / MIB:.2f} MiB kept after {CROWD} connections have ended")
        # 256 heaps of up to 4 pages, 64 blocks of 16 KiB, and the kernel's tables, once touched.
        if not is_sanitized():
            self.assertLess(kept, 10 * MIB)
        self.server.stop()

    def test_idle_they_cost_no_time(self):
        self.gather(self.server)
        time.sleep(0.2)
        self.does_not_spin(self.server)
        with self.server.connect() as client:
            before = time.monotonic()
            for _ in range(100):
                client.exchange(b"hello\n")
            print(f"{(time.monotonic() - before) * 10:.2f} ms for an exchange beside an idle crowd")
        self.server.stop()


if __name__ == "__main__":
    main()
