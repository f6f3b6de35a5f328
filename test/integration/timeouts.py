"""--timeout drops a client that is idle for longer, and nobody else."""

import time

from server import KIB, ServerCase, main


class Timeouts(ServerCase):
    def ends_after(self, client, least, most):
        before = time.monotonic()
        self.assertTrue(client.has_ended())
        self.assertGreater(time.monotonic() - before, least)
        self.assertLess(time.monotonic() - before, most)

    def test_a_client_that_says_nothing_is_dropped(self):
        server = self.serve("--timeout", "0.5")
        self.ends_after(self.connect(server), 0.4, 2)
        server.stop()

    def test_a_client_that_says_nothing_more_is_dropped(self):
        server = self.serve("--timeout", "0.5")
        client = self.connect(server)
        client.exchange(b"hello\n")
        before = server.fds()
        self.ends_after(client, 0.4, 2)
        server.has_fds(before - 1)
        server.stop()

    def test_a_client_that_stops_within_a_line_is_dropped(self):
        server = self.serve("--timeout", "0.5")
        client = self.connect(server)
        client.exchange(b"hello\n")
        client.send(b"half a li")
        self.ends_after(client, 0.4, 2)
        server.stop()

    def test_a_client_that_never_reads_is_dropped(self):
        server = self.serve("--timeout", "0.5")
        client = self.connect(server, receive_buffer=4 * KIB)
        client.exchange(b"hello\n")
        before = server.fds()
        try:
            client.send_what_fits((b"." * 150 + b"\n") * 1000, patience=2)
        except ConnectionError:
            pass
        server.has_fds(before - 1)
        server.stop()

    def test_a_client_that_goes_on_is_not_dropped(self):
        server = self.serve("--timeout", "0.5")
        client = self.connect(server)
        for _ in range(12):
            client.exchange(b"hello\n")
            time.sleep(0.1)
        client.finish()
        client.read_to_end()
        count = server.stop()
        self.assertEqual(count["processes_failed"], 0)

    def test_a_client_that_sends_a_byte_from_time_to_time_is_not_idle(self):
        server = self.serve("--timeout", "0.5")
        client = self.connect(server)
        for byte in b"twelve bytes":
            client.send(bytes([byte]))
            time.sleep(0.1)
        client.exchange(b" take more than a second\n")
        server.stop()

    def test_the_idle_are_dropped_from_among_the_active(self):
        server = self.serve("--timeout", "0.5")
        clients = [self.connect(server) for _ in range(100)]
        for client in clients:
            client.exchange(b"hello\n")
        active = clients[::2]
        before = server.fds()
        for _ in range(10):
            for client in active:
                client.exchange(b"still here\n")
            time.sleep(0.1)
        self.assertEqual(server.fds(), before - 50)
        for client in clients[1::2]:
            self.assertTrue(client.has_ended())
        server.stop()

    def test_a_dropped_client_is_no_news_for_the_log(self):
        server = self.serve("--timeout", "0.1")
        self.ends_after(self.connect(server), 0.05, 2)
        self.assertEqual(server.log(), "")
        server.stop()

    def test_nothing_is_done_while_timeouts_are_far_away(self):
        server = self.serve("--timeout", "1000")
        for client in [self.connect(server) for _ in range(100)]:
            client.exchange(b"hello\n")
        self.does_not_spin(server)
        count = server.stop()
        self.assertLess(count["waits"], 500, "a tick")

    def test_without_a_timeout_nobody_is_dropped(self):
        server = self.serve()
        client = self.connect(server)
        client.exchange(b"hello\n")
        self.does_not_spin(server)
        client.exchange(b"hello\n")
        server.stop()


if __name__ == "__main__":
    main()
