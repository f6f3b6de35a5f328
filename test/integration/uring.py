"""What is special to the poller uring: its calls and its buffers."""

import signal
import time

from counting import CLIENTS, CountingCase
from server import KIB, main

_REFUSED = "io_uring cannot be used, epoll is"


class Uring(CountingCase):
    def serve(self, *options, **how):
        server = super().serve(*options, **how)
        if _REFUSED in server.log():
            self.skipTest("the system allows no io_uring")
        return server

    def run_with(self, rounds):
        server = self.serve()
        self.exchange(server, rounds, 1)
        return server.stop()

    def test_a_line_costs_no_read_and_no_write(self):
        few, many = self.run_with(10), self.run_with(110)
        cost = {name: many[name] - few[name] for name in many}
        lines = 100 * CLIENTS
        print(f"{cost['reads'] / lines:.4f} reads, {cost['writes'] / lines:.4f} writes, "
              f"{cost['waits'] / lines:.4f} waits, {cost['eagain'] / lines:.4f} EAGAIN a line")
        self.assertEqual(cost["bytes_in"], 64 * lines)
        self.assertLessEqual(cost["reads"] + cost["writes"], 0.01 * lines)
        self.assertLessEqual(cost["eagain"], lines / 10_000)

    def test_a_connection_is_registered_once(self):
        # With a receive, and a poll for its reset. Beside them: the listener and signals.
        self.assertEqual(self.run_with(20)["registrations"], 2 * CLIENTS + 2)

    def test_clients_that_are_not_read_do_not_take_all_buffers(self):
        # Each sends what one connection may hold, and much more: there are 1024 buffers of 4 KiB.
        server = self.serve()
        rude = [self.connect(server, receive_buffer=4 * KIB) for _ in range(60)]
        for client in rude:
            client.send_what_fits((b"." * 150 + b"\n") * 1000, patience=0.02)
        slowest = 0
        for _ in range(50):
            with server.connect() as polite:
                before = time.monotonic()
                polite.exchange(b"hello\n" * 100)
                slowest = max(slowest, time.monotonic() - before)
        self.assertLess(slowest, 1)
        for client in rude:
            client.finish()
            client.read_to_end()
        server.stop()

    def test_connections_that_end_with_operations_under_way_do_not_mix(self):
        # The next one has the same number, most often.
        server = self.serve()
        for round in range(300):
            client = server.connect()
            client.exchange(b"hello\n")
            client.send(b"unread %d\n" % round * 50)
            if round % 2:
                client.reset()
            client.close()
            with server.connect() as other:
                other.exchange(b"I am number %d\n" % round)
        server.stop()

    def test_a_killed_server_leaves_no_port_behind_at_once(self):
        server = self.serve()
        with server.connect() as client:
            client.exchange(b"hello\n")
            address = server.address
            server.kill()
        self.serve(listen=[address]).stop()

    def test_idle_connections_cost_nothing(self):
        server = self.serve()
        clients = [self.connect(server) for _ in range(200)]
        for client in clients:
            client.exchange(b"hello\n")
        self.does_not_spin(server)
        server.send_signal(signal.SIGTERM)
        server.ended()


if __name__ == "__main__":
    main()
