"""No file descriptors left, or no connection allowed: those beyond wait, and nothing spins."""

import os
import resource
import time

from server import ServerCase, is_sanitized, main, wait_until


class ShortageCase(ServerCase):
    def all_wait(self, clients):
        """Check that `clients`, who have sent a line, are not answered now."""
        time.sleep(0.3)
        for client in clients:
            client.socket.setblocking(False)
            with self.assertRaises(BlockingIOError):
                client.socket.recv(1)
            client.socket.settimeout(10)

    def sending(self, server, count):
        """Clients that have sent a line."""
        clients = [self.connect(server) for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(b"client %d\n" % number)
        return clients


class NoDescriptors(ShortageCase):
    """accept(2) fails with EMFILE: the limit is lowered below what the server was started with."""

    def setUp(self):
        super().setUp()
        if is_sanitized():
            self.skipTest("a sanitizer needs descriptors of its own")

    def limit(self, server, more):
        """Allow `server` `more` file descriptors than it has open."""
        numbers = [int(name) for name in os.listdir(f"/proc/{server.pid}/fd")]
        assert max(numbers) == len(numbers) - 1, f"the fds {numbers} have a gap"
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (len(numbers) + more, 256))

    def unlimit(self, server):
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (256, 256))

    def short(self, more=4, beyond=8):
        """A server at its limit, the clients that it serves and those that wait."""
        server = self.serve(nofile=256)
        self.limit(server, more)
        served = self.sending(server, more)
        for client in served:
            client.read()
        waiting = self.sending(server, beyond)
        wait_until(lambda: "accept" in server.log(), what="a log line")
        return server, served, waiting

    def test_connections_beyond_wait_and_the_others_are_served(self):
        server, served, waiting = self.short()
        self.all_wait(waiting)
        for client in served:
            client.exchange(b"more\n")
        self.unlimit(server)
        server.stop()

    def test_the_server_does_not_spin(self):
        server, _, _ = self.short()
        self.does_not_spin(server, 1)
        self.unlimit(server)
        count = server.stop()
        self.assertLess(count["accept_errors"], 100)
        self.assertGreater(count["accept_errors"], 0)

    def test_one_line_in_the_log_says_so_and_no_flood(self):
        server, _, _ = self.short()
        time.sleep(1)
        self.assertEqual(server.log().count("accept: Too many open files"), 1, server.log())
        self.assertEqual(len(server.log().splitlines()), 1, server.log())
        self.unlimit(server)
        server.stop()

    def test_a_connection_that_ends_makes_room_at_once(self):
        server, served, waiting = self.short()
        for gone, next_one in zip(served, waiting):
            gone.close()
            before = time.monotonic()
            next_one.read()
            self.assertLess(time.monotonic() - before, 0.5)
        self.unlimit(server)
        server.stop()

    def test_all_are_served_when_descriptors_are_back(self):
        server, served, waiting = self.short()
        self.unlimit(server)
        for client in served + waiting:
            client.exchange(b"after\n")
        count = server.stop()
        self.assertEqual(count["accepts"], len(served) + len(waiting))

    def test_the_server_comes_to_the_limit_again_and_again(self):
        server, served, waiting = self.short(more=2, beyond=2)
        before = server.fds()
        for _ in range(20):
            for client in served:
                client.close()
            for client in waiting:
                client.read()
            served, waiting = waiting, self.sending(server, 2)
        self.assertEqual(server.fds(), before)
        self.unlimit(server)
        for client in waiting:
            client.read()
        server.stop()

    def test_it_ends_in_good_order_while_short(self):
        server, served, _ = self.short()
        server.stop(within=3)
        for client in served:
            client.read_to_end()


class FewDescriptors(ShortageCase):
    """A low RLIMIT_NOFILE from the start: the server keeps within it by itself."""

    def test_connections_beyond_wait_without_an_error(self):
        server = self.serve(nofile=64)
        clients = self.sending(server, 100)
        served = 0
        for client in clients:
            client.socket.settimeout(0.3)
            try:
                client.read()
            except TimeoutError:
                break
            served += 1
        self.assertGreaterEqual(served, 16)
        self.assertLess(served, 64)
        self.does_not_spin(server)
        for at in range(100):
            clients[at].socket.settimeout(10)
            clients[at].read()  # it is served by now, since those before it are gone
            clients[at].close()
        server.stop()

    def test_descriptors_that_the_server_was_born_with_count_as_well(self):
        if is_sanitized():
            self.skipTest("a sanitizer needs descriptors of its own")
        # More than it keeps in reserve: it then meets EMFILE before its own limit.
        inherited = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
        for fd in inherited:
            self.addCleanup(os.close, fd)
        server = self.serve(nofile=max(inherited) + 50, pass_fds=inherited)
        clients = self.sending(server, 100)
        wait_until(lambda: "Too many open files" in server.log(), what="a log line")
        self.does_not_spin(server)
        for client in clients:
            client.read()
            client.close()
        server.stop()


class ConnectionLimit(ShortageCase):
    def test_connections_beyond_the_limit_wait_their_turn(self):
        server = self.serve("--connections", "5")
        served = self.sending(server, 5)
        for client in served:
            client.read()
        waiting = self.sending(server, 5)
        self.all_wait(waiting)
        for client in served:
            client.exchange(b"more\n")
        self.does_not_spin(server)
        for gone, next_one in zip(served, waiting):
            gone.close()
            next_one.read()
        self.assertEqual(server.log(), "")
        server.stop()

    def test_the_limit_holds_for_all_addresses_together(self):
        server = self.serve("--connections", "2", listen=["127.0.0.1:0", "127.0.0.2:0"])
        clients = self.sending(server, 2)
        for client in clients:
            client.read()
        server.addresses.reverse()
        waiting, = self.sending(server, 1)
        self.all_wait([waiting])
        clients[0].close()
        waiting.read()
        server.stop()

    def test_a_limit_of_one_serves_one_after_another(self):
        server = self.serve("--connections", "1")
        for client in self.sending(server, 50):
            client.read()
            client.close()
        count = server.stop()
        self.assertEqual(count["accepts"], 50)

    def test_those_who_wait_are_served_or_let_go_at_the_end(self):
        server = self.serve("--connections", "1")
        clients = self.sending(server, 3)
        clients[0].read()
        server.stop()
        clients[0].read_to_end()
        for client in clients[1:]:
            client.read_to_any_end()


if __name__ == "__main__":
    main()
