"""SIGTERM and SIGINT let the connections end.

A second one, or the drain time, ends what does not. SIGPIPE never ends anything.
"""

import os
import signal
import tempfile
import time

from client import Client
from server import KIB, POLLER, ServerCase, main, wait_until

UNREAD = (b"." * 150 + b"\n") * 1000
PROMPT_S = 2  # for an end that has nothing to wait for
AGAIN_S = 0.7  # after which a signal is a second one, not the first one heard twice


class Ending(ServerCase):
    def never_reading(self, server):
        """A client for which the server waits for room to write."""
        client = self.connect(server, receive_buffer=4 * KIB)
        client.send_what_fits(UNREAD, patience=0.1)
        return client

    def received(self, clients):
        """Wait until the server's system has all that `clients` sent, read by the server or not."""
        wait_until(lambda: not any(client.unacknowledged() for client in clients),
                   what="that all is received")

    def ends_promptly(self, server, number=signal.SIGTERM):
        return server.stop(number, within=PROMPT_S)


class WhileIdle(Ending):
    def test_without_a_connection(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.serve()
                self.ends_promptly(server, number)
                self.assertIn(f"{number.name}: draining", server.log())

    def test_with_idle_connections_that_see_the_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.serve()
                clients = [self.connect(server) for _ in range(50)]
                for client in clients[10:]:
                    client.exchange(b"hello\n")
                self.ends_promptly(server, number)
                for client in clients[10:]:
                    client.read_to_end()
                for client in clients[:10]:  # perhaps not accepted yet
                    client.read_to_any_end()

    def test_with_a_connection_that_is_accepted_at_the_end(self):
        server = self.serve()
        server.send_signal(signal.SIGSTOP)
        late = self.connect(server)
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGCONT)
        self.assertEqual(server.ended(within=PROMPT_S)["faults"], 0)
        late.read_to_any_end()

    def test_half_a_line_is_answered_as_a_last_line(self):
        server = self.serve()
        client = self.connect(server)
        client.exchange(b"hello\n")
        client.send(b"half a li")
        self.received([client])
        time.sleep(0.05)
        self.ends_promptly(server)
        client.expect(client.answers.at_end())
        client.read_to_end()

    def test_nobody_is_accepted_afterwards(self):
        server = self.serve("--drain", "30")
        client = self.never_reading(server)
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.log(), what="the drain")

        def refused():
            try:
                Client(server.address).close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refused, what="that the port is closed")
        client.reset()
        server.ended()


class WhileBusy(Ending):
    def every_line_is_answered(self, clients, lines, *options):
        """Check that what was received, read or not, is answered after SIGTERM."""
        self.needs_fds(2 * clients + 100)
        server = self.serve(*options)
        busy = [self.connect(server) for _ in range(clients)]
        for client in busy:
            client.exchange(b"hello\n")
        server.send_signal(signal.SIGSTOP)
        for client in busy:
            client.send(b"a line that the server has received\n" * lines)
        self.received(busy)
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGCONT)
        for client in busy:
            client.read_to_end()
        server.ended()

    def test_one_line_of_each_of_64_is_answered(self):
        self.every_line_is_answered(64, 1)

    def test_a_thousand_lines_of_each_of_64_are_answered(self):
        self.every_line_is_answered(64, 1000)

    def test_one_line_of_each_of_2000_is_answered(self):
        # More than a poller reports at once.
        self.every_line_is_answered(2000, 1)

    def test_lines_of_a_new_connection_are_answered(self):
        server = self.serve()
        server.send_signal(signal.SIGSTOP)
        client = self.connect(server)
        client.send(b"a line that came with the connection\n")
        self.received([client])
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGCONT)
        server.ended()
        if client.read_to_any_end():  # it may have been refused, but not lost half-way
            self.assertEqual(client.due, b"Line 0: a line that came with the connection\n")

    def test_in_full_flight_all_answers_are_whole(self):
        server = self.serve()
        busy = [self.connect(server) for _ in range(64)]
        told = False
        deadline = time.monotonic() + 1
        while busy and time.monotonic() < deadline + 10:
            for client in list(busy):
                try:
                    client.send(b"over and over\n")
                    client.read()
                except (OSError, EOFError):
                    self.assertTrue(told, "it ended before SIGTERM")
                    # Of the last answer came all or nothing.
                    self.assertRegex(client.due, rb"\ALine \d+: over and over\n\Z")
                    busy.remove(client)
                if not told and time.monotonic() > deadline - 0.5:
                    server.send_signal(signal.SIGTERM)
                    told = True
        self.assertFalse(busy, "clients in flight are served for ever")
        server.ended()

    def test_a_slow_reader_gets_all_within_the_drain_time(self):
        # Over a unix socket, where what was sent is at the server at once, and little is between.
        room = tempfile.TemporaryDirectory(prefix="vk-unix-")
        self.addCleanup(room.cleanup)
        server = self.serve("--drain", "30", listen=[f"unix:{room.name}/echo.sock"])
        client = self.connect(server)
        client.send_what_fits(UNREAD, patience=0.1)
        client.finish()
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.log(), what="the drain")
        time.sleep(0.2)
        self.assertTrue(server.running, "it did not wait for room to write")
        while len(client.due) > 100 * KIB:
            client.read_some(10 * KIB)
            time.sleep(0.005)
        client.read_to_end()
        server.ended(within=PROMPT_S)

    def test_lines_that_arrive_too_late_do_not_take_answers_with_them(self):
        server = self.serve("--drain", "30")
        client = self.connect(server, receive_buffer=4 * KIB)
        sent = client.send_what_fits(UNREAD, patience=0.2)
        received = sent - client.unacknowledged()
        lines = received // len(UNREAD.splitlines()[0] + b"\n")
        self.assertLess(received, sent, "nothing is on its way")
        client.expect(client.answers.at_end())  # it may all be received by the end
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.log(), what="the drain")
        client.read_to_any_end()
        # The number in the first answer that is missing, or in one that was cut.
        due = bytes(client.due)
        answered = client.answers.lines - due.count(b"\n")
        self.assertGreaterEqual(answered, lines, "lines that the server had received were lost")
        server.ended(within=PROMPT_S)


class NotEnding(Ending):
    """Clients that never read: the server waits for them, but not for ever."""

    def test_the_drain_time_ends_a_connection(self):
        server = self.serve("--drain", "0.7")
        self.never_reading(server)
        before = time.monotonic()
        server.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        self.assertTrue(server.running, "it did not wait")
        server.ended()
        self.assertLess(time.monotonic() - before, 0.7 + PROMPT_S)

    def test_no_drain_time_is_no_waiting(self):
        server = self.serve("--drain", "0")
        self.never_reading(server)
        self.ends_promptly(server)

    def test_a_second_signal_ends_it_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
            with self.subTest(f"{first.name}, {second.name}"):
                server = self.serve("--drain", "30")
                self.never_reading(server)
                server.send_signal(first)
                wait_until(lambda: "draining" in server.log(), what="the drain")
                time.sleep(AGAIN_S)
                self.assertTrue(server.running)
                self.ends_promptly(server, second)

    def test_a_signal_that_is_heard_twice_is_one_signal(self):
        server = self.serve("--drain", "30")
        self.never_reading(server)
        for _ in range(3):
            server.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        time.sleep(AGAIN_S)
        self.assertTrue(server.running, "the drain was cut short")
        self.ends_promptly(server)

    def test_the_server_does_not_spin_while_it_waits(self):
        server = self.serve("--drain", "30")
        self.never_reading(server)
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.log(), what="the drain")
        self.does_not_spin(server, AGAIN_S)
        self.ends_promptly(server)

    def test_a_client_that_never_stops_sending_does_not_keep_the_server(self):
        server = self.serve("--drain", "0.5")
        client = self.connect(server)
        client.exchange(b"hello\n")
        server.send_signal(signal.SIGTERM)
        client.socket.settimeout(0.1)
        deadline = time.monotonic() + 10
        try:
            while server.running and time.monotonic() < deadline:
                client.send(b"on and on\n" * 100)
                client.read()
        except (OSError, EOFError):
            pass
        server.ended(within=PROMPT_S)


class OtherSignals(Ending):
    def test_sigpipe_never_kills(self):
        server = self.serve()
        server.send_signal(signal.SIGPIPE)
        # A write to a connection that the other side has closed for good.
        for _ in range(20):
            client = server.connect()
            client.send(b"line\n" * 1000)
            client.reset()
        with server.connect() as client:
            client.exchange(b"still here\n")
        self.ends_promptly(server)

    def test_being_stopped_and_continued_changes_nothing(self):
        server = self.serve()
        client = self.connect(server)
        for _ in range(5):
            client.exchange(b"hello\n")
            server.send_signal(signal.SIGSTOP)
            client.send(b"sent to a stopped server\n")
            server.send_signal(signal.SIGCONT)
            client.read()
        self.ends_promptly(server)

    def test_a_killed_server_leaves_no_port_behind(self):
        server = self.serve()
        client = self.connect(server)
        client.exchange(b"hello\n")
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        again = self.serve(listen=[server.address])
        self.assertEqual(again.address, server.address)
        with self.connect(again) as other:
            other.exchange(b"hello\n")
        self.ends_promptly(again)


if __name__ == "__main__":
    main()
