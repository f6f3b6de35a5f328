"""Clients that never read, that reset, that send lines longer than a heap: they harm no other."""

import re
import threading
import time

from server import KIB, MIB, ServerCase, is_sanitized, main, wait_until
from stream import Stream, pieces

PROMPT_S = 1.0  # for one exchange, on a busy machine
UNREAD = (b"never read, whatever the server may think of it" + b"." * 100 + b"\n") * 1000


class RudeCase(ServerCase):
    def serves_promptly(self, server, exchanges=50):
        """Check that a polite client is answered without delay, again and again."""
        slowest = 0
        with server.connect() as client:
            for _ in range(exchanges):
                before = time.monotonic()
                client.exchange(b"hello\n")
                slowest = max(slowest, time.monotonic() - before)
        self.assertLess(slowest, PROMPT_S, f"{slowest:.3f} s for the slowest exchange")


class NeverReading(RudeCase):
    def test_the_memory_of_the_server_stays_flat(self):
        server = self.serve()
        with server.connect() as polite:
            polite.exchange(b"x" * 30_000 + b"\n")
        before = server.resident_bytes()
        rude = [self.connect(server, receive_buffer=4 * KIB) for _ in range(4)]
        sent = sum(client.send_what_fits(UNREAD, patience=0.2) for client in rude)
        grown = server.resident_bytes() - before
        print(f"{sent / MIB:.1f} MiB sent and never read; the server grew by {grown // KIB} KiB")
        # Two blocks of 16 KiB for each, a page or two of its heap, and half as much again.
        self.assertLess(grown, len(rude) * 60 * KIB * (4 if is_sanitized() else 1))
        for client in rude:
            client.reset()
        server.stop()

    def test_others_are_served_promptly_meanwhile(self):
        server = self.serve()
        rude = [self.connect(server, receive_buffer=4 * KIB) for _ in range(4)]
        for client in rude:
            client.send_what_fits(UNREAD, patience=0.05)
            self.serves_promptly(server, 10)
        self.does_not_spin(server)
        self.serves_promptly(server)
        for client in rude:
            client.reset()
        server.stop()

    def test_all_is_there_when_it_reads_after_all(self):
        server = self.serve()
        client = self.connect(server, receive_buffer=4 * KIB)
        client.send_what_fits(b"read late, but read after all\n" * 1000, patience=0.2)
        client.finish()
        client.read_to_end()
        server.stop()

    def test_one_that_reads_slowly_gets_all(self):
        server = self.serve()
        client = self.connect(server, receive_buffer=4 * KIB)
        client.send(b"slow\n" * 40_000)
        client.finish()
        while len(client.due) > 100_000:
            client.read_some(3000)
            time.sleep(0.001)
        client.read_to_end()
        server.stop()


class Flooding(RudeCase):
    """Clients that send without a pause, and read all: they take no more than their share."""

    def test_others_are_served_promptly_meanwhile(self):
        server = self.serve()
        streams = [Stream(self.connect(server)) for _ in range(2)]
        threads = [threading.Thread(target=stream.run, args=[pieces(64 * MIB)])
                   for stream in streams]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.serves_promptly(server, 10)
        for thread, stream in zip(threads, streams):
            thread.join()
            self.assertTrue(stream.is_intact(), stream)
        server.stop()


class Resetting(RudeCase):
    """A reset in each phase of a connection: the server is as before and serves others."""

    def resets(self, act, *options, times=50, **how):
        server = self.serve(*options)
        polite = self.connect(server)
        polite.exchange(b"before\n")
        before = server.fds()
        for _ in range(times):
            client = server.connect(**how)
            act(client)
            client.reset()
        polite.exchange(b"after\n")
        server.has_fds(before)
        self.does_not_spin(server, 0.2)
        self.serves_promptly(server, 10)
        self.assertEqual(server.log(), "", "a reset is an everyday matter")
        polite.close()
        count = server.stop()
        self.assertEqual(count["faults"], 0)
        return count

    def test_at_once(self):
        self.resets(lambda client: None)

    def test_in_the_middle_of_a_line(self):
        self.resets(lambda client: client.send(b"half a li"))

    def test_before_its_answer_is_read(self):
        self.resets(lambda client: client.send(b"a line\n"))

    def test_after_its_answer(self):
        self.resets(lambda client: client.exchange(b"a line\n"))

    def test_in_the_middle_of_the_next_line(self):
        def act(client):
            client.exchange(b"a line\n")
            client.send(b"half a li")
            time.sleep(0.001)

        self.resets(act)

    def test_while_the_server_waits_for_room_to_write(self):
        self.resets(lambda client: client.send_what_fits(UNREAD, patience=0.05),
                    times=4, receive_buffer=4 * KIB)

    def test_after_half_closing(self):
        def act(client):
            client.send(b"a line\n" * 1000)
            client.finish()

        self.resets(act)

    def test_after_half_closing_while_the_server_waits_for_room_to_write(self):
        def act(client):
            client.send_what_fits(UNREAD, patience=0.05)
            client.finish()

        self.resets(act, times=4, receive_buffer=4 * KIB)

    def test_while_its_last_bytes_are_read(self):
        """A matter of a microsecond: tried until one of the many would have met it."""
        server = self.serve()
        before = server.fds()
        until = time.monotonic() + 3

        def run():
            while time.monotonic() < until:
                client = server.connect()
                client.send(b"half a li")
                client.reset()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.has_fds(before)
        server.stop()

    def test_all_at_once(self):
        server = self.serve()
        polite = self.connect(server)
        polite.exchange(b"before\n")
        before = server.fds()
        for _ in range(5):
            clients = [server.connect() for _ in range(200)]
            for client in clients:
                client.send(b"a line\nand half a li")
            for client in clients:
                client.reset()
        polite.exchange(b"after\n")
        server.has_fds(before)
        polite.close()
        server.stop()


class LongLines(RudeCase):
    def sends(self, server, length):
        """Send a line of `length` bytes. Returns whether it was answered; if not, all has ended."""
        with server.connect() as client:
            try:
                client.send(b"x" * (length - 1) + b"\n")
                client.finish()
            except OSError:
                pass  # it has ended before all was sent
            return client.read_to_any_end() == 0

    def pages_needed(self, server):
        """What the last line of the log says that the heap would have needed."""
        found = re.findall(r"heap of \d+ pages exhausted: (\d+) pages needed", server.log())
        self.assertTrue(found, server.log())
        return int(found[-1])

    def test_a_line_longer_than_the_heap_ends_its_connection_alone(self):
        server = self.serve()
        polite = self.connect(server)
        polite.exchange(b"before\n")
        before = server.fds()
        self.assertFalse(self.sends(server, 200 * KIB))
        polite.exchange(b"after\n")
        server.has_fds(before)
        self.serves_promptly(server, 10)
        polite.close()
        count = server.stop()
        self.assertEqual(count["processes_failed"], 1)

    def test_the_log_names_the_pages_that_were_needed(self):
        server = self.serve()
        self.assertFalse(self.sends(server, 200 * KIB))
        wait_until(lambda: "pages needed" in server.log(), what="a log line")
        self.assertRegex(server.log(), r"heap of 25 pages exhausted: \d+ pages needed")
        self.assertGreater(self.pages_needed(server), 25)
        server.stop()

    def test_with_the_pages_that_were_needed_the_line_gets_through(self):
        # The ring grows step by step, so the log may name the pages of each step in turn.
        pages = 25
        for _ in range(8):
            server = self.serve("--heap-pages", str(pages))
            if self.sends(server, 60 * KIB):
                break
            wait_until(lambda: "ended by" in server.log(), what="a log line")
            needed = self.pages_needed(server)
            self.assertGreater(needed, pages)
            server.stop()
            if needed - 1 > pages:
                self.one_page_less_fails(needed - 1)
            pages = needed
        else:
            self.fail(f"not with {pages} pages either")
        print(f"a line of 60 KiB takes a heap of {pages} pages")
        self.assertLessEqual(server.stop()["heap_pages_high_water"], pages)

    def one_page_less_fails(self, pages):
        server = self.serve("--heap-pages", str(pages))
        self.assertFalse(self.sends(server, 60 * KIB))
        server.stop()

    def test_an_endless_line_ends_soon(self):
        server = self.serve()
        client = self.connect(server)
        with self.assertRaises(ConnectionError):
            for _ in range(1000):
                client.socket.sendall(b"x" * 64 * KIB)
        server.stop()

    def test_many_long_lines_leave_the_memory_as_it_was(self):
        server = self.serve()
        self.sends(server, 200 * KIB)
        before = server.resident_bytes()
        for _ in range(100):
            self.sends(server, 200 * KIB)
        self.serves_promptly(server, 10)
        if not is_sanitized():
            self.assertLess(server.resident_bytes() - before, 512 * KIB)
        count = server.stop()
        self.assertEqual(count["processes_failed"], 101)

    def test_the_smallest_heap_serves_or_says_what_it_needs(self):
        server = self.serve("--heap-pages", "1")
        if not self.sends(server, 10):
            self.assertIn("pages needed", server.log())
        server.stop()


if __name__ == "__main__":
    main()
